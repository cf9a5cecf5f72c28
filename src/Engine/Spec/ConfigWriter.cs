using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Spec;

/// <summary>config.json of an output folder: the original's, with what changed, in the spelling of transformers 4 and of 5.</summary>
public static class ConfigWriter
{
    /// <summary>The bytes of config.json for <paramref name="spec"/>.</summary>
    /// <param name="modelFolder">the original, for every field that stays</param>
    /// <param name="spec">what the output holds</param>
    /// <param name="store">type of its weights</param>
    /// <param name="method">what made it, for the nativeengine block; null for a model that stock readers load</param>
    public static byte[] Write(string modelFolder, ModelSpec spec, DType store, string? method)
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
        if (spec.Rope is not null)
        {
            WriteRope(config, spec.Rope);
        }

        if (method is null)
        {
            config.Remove(SlicedConfig.Key);
        }
        else
        {
            config[SlicedConfig.Key] = SlicedConfig.Write(spec, method);
        }

        return Encoding.UTF8.GetBytes(config.ToJsonString(new System.Text.Json.JsonSerializerOptions(System.Text.Json.JsonSerializerDefaults.General)
        {
            WriteIndented = true,
            TypeInfoResolver = ResultJson.Default,
        }) + "\n");
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
