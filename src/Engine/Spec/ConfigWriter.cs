using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Spec;

/// <summary>config.json of an output folder: the original's, with what changed, in the spelling of transformers 4 and of 5.</summary>
internal static class ConfigWriter
{
    /// <summary>Lists with one entry per layer that newer transformers writes.</summary>
    private static readonly string[] LayerLists = ["layer_types", "mlp_layer_types", "no_rope_layers"];

    /// <summary>Why stock transformers does not load <paramref name="spec"/>; null when the fields of the family say everything about it.</summary>
    public static string? WhyNotStock(ModelSpec spec) => spec.Shortcuts ? "there are matrices on the residual" : WhyNotOneShape(spec);

    /// <summary>True where stock transformers loads <paramref name="spec"/> only if it takes the width of a head from head_dim, which 4.41 does not.</summary>
    public static bool NeedsHeadDim(ModelSpec spec) => WhyNotStock(spec) is null && spec.Layers[0].QueryWidth != spec.Hidden;

    /// <summary>The bytes of config.json for <paramref name="spec"/>.</summary>
    /// <param name="modelFolder">the original, for every field that stays</param>
    /// <param name="spec">what the output holds</param>
    /// <param name="store">type of its weights</param>
    /// <param name="method">what made it from the original, for a nativeengine block where one is needed; null for a copy</param>
    /// <param name="layers">the original's layers that the output holds; null for all</param>
    public static byte[] Write(string modelFolder, ModelSpec spec, DType store, string? method = null, IReadOnlyList<int>? layers = null)
    {
        ConfigJson original = ConfigJson.Read(new ModelFolder(modelFolder));
        var config = JsonObject.Create(original.Root)!;
        string dtype = store switch
        {
            DType.F64 => "float64",
            DType.F32 => "float32",
            DType.F16 => "float16",
            _ => "bfloat16",
        };
        (config["torch_dtype"], config["dtype"]) = (dtype, dtype);
        config["tie_word_embeddings"] = spec.TiedHead;
        WriteShape(config, original, spec);
        if (layers is not null)
        {
            WriteLayerLists(config, layers);
        }

        if (spec.Rope is not null)
        {
            WriteRope(config, spec.Rope);
        }

        config.Remove(CompressedConfig.Key);
        if (WhyNotStock(spec) is not null)
        {
            string?[] methods = [.. (original.Object(CompressedConfig.Key)?.Text("method")?.Split(',') ?? []).Append(method).OfType<string>().Distinct()];
            config[CompressedConfig.Key] = CompressedConfig.Write(spec, methods.Length == 0 ? null : string.Join(',', methods), allWidths: WhyNotOneShape(spec) is not null);
        }

        return Encoding.UTF8.GetBytes(config.ToJsonString(new System.Text.Json.JsonSerializerOptions(System.Text.Json.JsonSerializerDefaults.General)
        {
            WriteIndented = true,
            TypeInfoResolver = ResultJson.Default,
        }) + "\n");
    }

    /// <summary>Null when heads and MLP width are the same in all layers, and the family has fields for them that its stock class accepts.</summary>
    private static string? WhyNotOneShape(ModelSpec spec)
    {
        LayerShape first = spec.Layers[0];
        return spec.Layers.Any(s => (s.Heads, s.KvHeads, s.HeadDim, s.Ffn) != (first.Heads, first.KvHeads, first.HeadDim, first.Ffn)) ? "layers differ in shape"
            : first.QueryWidth == spec.Hidden ? null
            : !Families.Of(spec).ReadsHeadDim ? $"{spec.ModelType} models have no field for the width of a head"
            : spec.Hidden % first.Heads != 0 ? $"{spec.ModelType} models need a residual width that their heads divide, and {spec.Hidden} is no multiple of {first.Heads}"
            : null;
    }

    /// <summary>The widths. Where layers differ, heads and MLP width stay the original's and the block has the layers' own.</summary>
    private static void WriteShape(JsonObject config, ConfigJson original, ModelSpec spec)
    {
        LayerShape first = spec.Layers[0];
        int heads = original.Int("num_attention_heads", 1, int.MaxValue);
        Put("num_hidden_layers", spec.Layers.Count);
        Put("hidden_size", spec.Hidden);
        Put("word_embed_proj_dim", spec.Hidden, implied: spec.Hidden);
        if (WhyNotOneShape(spec) is null)
        {
            heads = first.Heads;
            Put("num_attention_heads", heads);
            Put("num_key_value_heads", first.KvHeads, implied: heads);
            Put(Families.Of(spec).FfnKey, first.Ffn);
        }

        Put("head_dim", first.HeadDim, implied: spec.Hidden % heads == 0 ? spec.Hidden / heads : 0);

        // What says the same already stays as it is spelt, or absent.
        void Put(string key, int value, int? implied = null)
        {
            if (original.Int(key, 0, int.MaxValue, implied) != value)
            {
                config[key] = value;
            }
        }
    }

    private static void WriteLayerLists(JsonObject config, IReadOnlyList<int> layers)
    {
        foreach (string key in LayerLists)
        {
            if (config[key] is JsonArray list)
            {
                config[key] = new JsonArray([.. layers.Where(l => l < list.Count).Select(l => list[l]?.DeepClone())]);
            }
        }
    }

    private static void WriteRope(JsonObject config, RopeSpec rope)
    {
        JsonObject? scaling = rope.Scaling switch
        {
            RopeScaling.None => null,
            RopeScaling.Llama3 => new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = rope.Factor,
                ["low_freq_factor"] = rope.LowFreqFactor,
                ["high_freq_factor"] = rope.HighFreqFactor,
                ["original_max_position_embeddings"] = rope.OriginalMaxPositions,
            },

            // transformers 4.41 accepts these two fields and no third
            _ => new JsonObject { ["type"] = rope.Scaling == RopeScaling.Linear ? "linear" : "dynamic", ["factor"] = rope.Factor },
        };
        JsonObject parameters = scaling?.DeepClone().AsObject() ?? [];
        parameters["rope_type"] = rope.Scaling.ToString() is "None" ? "default" : rope.Scaling.ToString().ToLowerInvariant();
        parameters.Remove("type");
        parameters["rope_theta"] = rope.Theta;
        if (config["partial_rotary_factor"] is JsonNode fraction)
        {
            parameters["partial_rotary_factor"] = fraction.DeepClone();
        }

        config["rope_theta"] = rope.Theta;
        config["rope_scaling"] = scaling;
        config["rope_parameters"] = parameters;
    }
}
