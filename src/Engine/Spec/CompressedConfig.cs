using System.Text.Json.Nodes;

namespace NativeEngine.Spec;

/// <summary>
/// The <c>nativeengine</c> block of config.json: what the fields of the family cannot say. Format 1 is a sliced model whose layers
/// differ in their residual widths only; format 2 has every width of every layer, of a sliced model or not. The rest of config.json
/// keeps the values of the original model, so a reader that does not know the block fails on shapes and not in silence.
/// </summary>
internal static class CompressedConfig
{
    public const string Key = "nativeengine";
    private const int ResidualWidths = 1, AllWidths = 2;

    /// <summary><paramref name="spec"/>, which config.json describes without the block, as the block says it is now.</summary>
    public static ModelSpec Read(ConfigJson block, ModelSpec spec)
    {
        int format = block.Int("format", 1, int.MaxValue);
        if (format > AllWidths)
        {
            throw block.Unsupported("format", format.ToString(), $"{ResidualWidths}, {AllWidths}; a newer engine wrote this folder");
        }

        IReadOnlyList<ConfigJson> layers = block.Objects("layers");
        if (layers.Count != spec.Layers.Count)
        {
            throw block.Wrong("layers", $"num_hidden_layers = {spec.Layers.Count} entries", block.Root.GetProperty("layers"));
        }

        LayerShape[] shapes = [.. layers.Select((c, l) => ReadLayer(c, format == AllWidths ? ReadHeads(c, spec.Layers[l]) : spec.Layers[l]))];
        if (format == ResidualWidths || block.Has("embedding"))
        {
            return ReadSliced(block, layers, spec with { Layers = shapes });
        }

        for (int l = 0; l < shapes.Length; l++)
        {
            if (shapes[l] is var s && s != LayerShape.Dense(s.Heads, s.KvHeads, s.HeadDim, s.Ffn, spec.Hidden))
            {
                throw block.Wrong($"layers[{l}]", $"hidden_size = {spec.Hidden} for every residual width of a model that is not sliced", layers[l].Root);
            }
        }

        return spec with { Layers = shapes };
    }

    /// <summary>The block for <paramref name="spec"/>, made by <paramref name="method"/>.</summary>
    /// <param name="spec">what the folder holds</param>
    /// <param name="method">what made it so; null where nobody knows</param>
    /// <param name="allWidths">config.json does not have the heads and the MLP width of every layer</param>
    public static JsonObject Write(ModelSpec spec, string? method, bool allWidths)
    {
        JsonObject block = new() { ["format"] = allWidths ? AllWidths : ResidualWidths };
        if (method is not null)
        {
            block["method"] = method;
        }

        if (spec.Shortcuts)
        {
            block["embedding"] = spec.EmbedWidth;
            block["head"] = spec.HeadWidth;
            block["norm_eps"] = spec.NormEps;
            block["bias"] = new JsonObject
            {
                ["qkv"] = spec.Bias.Qkv,
                ["attn_out"] = spec.Bias.AttnOut,
                ["mlp_in"] = spec.Bias.MlpIn,
                ["mlp_out"] = spec.Bias.MlpOut,
                ["head"] = spec.Bias.Head,
            };
        }

        block["layers"] = new JsonArray([.. spec.Layers.Select(s => WriteLayer(s, allWidths))]);
        return block;
    }

    private static JsonObject WriteLayer(LayerShape s, bool allWidths)
    {
        JsonObject layer = allWidths ? new() { ["heads"] = s.Heads, ["kv_heads"] = s.KvHeads, ["head_dim"] = s.HeadDim, ["ffn"] = s.Ffn } : [];
        layer["attention_input"] = s.AttentionInput;
        layer["attention_output"] = s.AttentionOutput;
        layer["mlp_input"] = s.MlpInput;
        layer["mlp_output"] = s.MlpOutput;
        return layer;
    }

    private static LayerShape ReadLayer(ConfigJson c, LayerShape shape) => shape with
    {
        AttentionInput = Width(c, "attention_input"),
        AttentionOutput = Width(c, "attention_output"),
        MlpInput = Width(c, "mlp_input"),
        MlpOutput = Width(c, "mlp_output"),
    };

    private static LayerShape ReadHeads(ConfigJson c, LayerShape original)
    {
        int headDim = Width(c, "head_dim");
        if (headDim != original.HeadDim)
        {
            throw c.Wrong("head_dim", $"{original.HeadDim}, as everywhere in the model: heads are cut whole", c.Root.GetProperty("head_dim"));
        }

        int heads = c.Int("heads", 1, Math.Min(SpecReader.MaxHeads, SpecReader.MaxWidth / headDim)), kvHeads = c.Int("kv_heads", 1, heads);
        return heads % kvHeads == 0
            ? original with { Heads = heads, KvHeads = kvHeads, Ffn = Width(c, "ffn") }
            : throw c.Wrong("kv_heads", $"a divisor of heads = {heads}", c.Root.GetProperty("kv_heads"));
    }

    /// <summary>The fields of a sliced model; <paramref name="spec"/> has its layers already.</summary>
    private static ModelSpec ReadSliced(ConfigJson block, IReadOnlyList<ConfigJson> layers, ModelSpec spec)
    {
        int embedding = Width(block, "embedding"), head = Width(block, "head");
        int before = embedding;
        for (int l = 0; l < layers.Count; l++)
        {
            LayerShape s = spec.Layers[l];
            bool joined = spec.Residual == ResidualKind.Parallel
                ? s.MlpInput == s.AttentionInput && s.MlpOutput == s.AttentionOutput
                : s.MlpInput == s.AttentionOutput;
            if (s.AttentionInput != before || !joined)
            {
                throw block.Wrong($"layers[{l}]", "widths that continue those before them", layers[l].Root);
            }

            before = s.MlpOutput;
        }

        if (before != head)
        {
            throw block.Wrong("head", $"the last layer's mlp_output = {before}", block.Root.GetProperty("head"));
        }

        return spec with
        {
            EmbedWidth = embedding,
            HeadWidth = head,
            Norm = NormKind.Rms,
            NormEps = block.Number("norm_eps", 0, 1),
            NormAffine = false,
            Bias = Bias(block.Object("bias") ?? throw block.Wrong("bias", "an object", block.Root)),
            TiedHead = false,
            Shortcuts = true,
        };
    }

    private static Biases Bias(ConfigJson c) =>
        new(c.Bool("qkv", false), c.Bool("attn_out", false), c.Bool("mlp_in", false), c.Bool("mlp_out", false), c.Bool("head", false));

    private static int Width(ConfigJson c, string key) => c.Int(key, 1, SpecReader.MaxWidth);
}
