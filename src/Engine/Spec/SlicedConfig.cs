using System.Text.Json.Nodes;

namespace NativeEngine.Spec;

/// <summary>
/// The <c>nativeengine</c> block of config.json: what fusion and slicing changed. The rest of config.json keeps the values of
/// the original model, so a reader that does not know the block fails on shapes and not in silence.
/// </summary>
internal static class SlicedConfig
{
    public const string Key = "nativeengine";
    private const int Format = 1;
    private const int MaxWidth = 1 << 20;

    /// <summary><paramref name="spec"/>, which config.json describes without the block, as the block says it is now.</summary>
    public static ModelSpec Read(ConfigJson block, ModelSpec spec)
    {
        if (block.Int("format", 1, int.MaxValue) is int format && format != Format)
        {
            throw block.Unsupported("nativeengine.format", format.ToString(), $"{Format}; a newer engine wrote this folder");
        }

        IReadOnlyList<ConfigJson> layers = block.Objects("layers");
        if (layers.Count != spec.Layers.Count)
        {
            throw block.Wrong("nativeengine.layers", $"num_hidden_layers = {spec.Layers.Count} entries", block.Root.GetProperty("layers"));
        }

        LayerShape[] shapes = [.. layers.Select((c, l) => spec.Layers[l] with
        {
            AttentionInput = Width(c, "attention_input"),
            AttentionOutput = Width(c, "attention_output"),
            MlpInput = Width(c, "mlp_input"),
            MlpOutput = Width(c, "mlp_output"),
        })];
        int embedding = Width(block, "embedding"), head = Width(block, "head");
        int before = embedding;
        for (int l = 0; l < shapes.Length; l++)
        {
            LayerShape s = shapes[l];
            bool joined = spec.Residual == ResidualKind.Parallel
                ? s.MlpInput == s.AttentionInput && s.MlpOutput == s.AttentionOutput
                : s.MlpInput == s.AttentionOutput;
            if (s.AttentionInput != before || !joined)
            {
                throw block.Wrong($"nativeengine.layers[{l}]", "widths that continue those before them", layers[l].Root);
            }

            before = s.MlpOutput;
        }

        if (before != head)
        {
            throw block.Wrong("nativeengine.head", $"the last layer's mlp_output = {before}", block.Root.GetProperty("head"));
        }

        return spec with
        {
            EmbedWidth = embedding,
            HeadWidth = head,
            Norm = NormKind.Rms,
            NormEps = block.Number("norm_eps", 0, 1),
            NormAffine = false,
            Bias = Bias(block.Object("bias") ?? throw block.Wrong("nativeengine.bias", "an object", block.Root)),
            TiedHead = false,
            Shortcuts = true,
            Layers = shapes,
        };
    }

    /// <summary>The block for <paramref name="spec"/>, made by <paramref name="method"/>.</summary>
    public static JsonObject Write(ModelSpec spec, string method) => new()
    {
        ["format"] = Format,
        ["method"] = method,
        ["embedding"] = spec.EmbedWidth,
        ["head"] = spec.HeadWidth,
        ["norm_eps"] = spec.NormEps,
        ["bias"] = new JsonObject
        {
            ["qkv"] = spec.Bias.Qkv,
            ["attn_out"] = spec.Bias.AttnOut,
            ["mlp_in"] = spec.Bias.MlpIn,
            ["mlp_out"] = spec.Bias.MlpOut,
            ["head"] = spec.Bias.Head,
        },
        ["layers"] = new JsonArray([.. spec.Layers.Select(s => (JsonNode)new JsonObject
        {
            ["attention_input"] = s.AttentionInput,
            ["attention_output"] = s.AttentionOutput,
            ["mlp_input"] = s.MlpInput,
            ["mlp_output"] = s.MlpOutput,
        })]),
    };

    private static Biases Bias(ConfigJson c) =>
        new(c.Bool("qkv", false), c.Bool("attn_out", false), c.Bool("mlp_in", false), c.Bool("mlp_out", false), c.Bool("head", false));

    private static int Width(ConfigJson c, string key) => c.Int(key, 1, MaxWidth);
}
