using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>adapter_config.json, as PEFT writes it.</summary>
/// <param name="Lora">rank, strength, dropout</param>
/// <param name="TargetModules">names of modules, or the ends of their names</param>
internal sealed record AdapterConfig(LoraConfig Lora, IReadOnlyList<string> TargetModules)
{
    public const string FileName = "adapter_config.json";

    /// <summary>Fields that do not change what the stored tensors mean.</summary>
    private static readonly HashSet<string> WithoutEffect =
    [
        "auto_mapping", "base_model_name_or_path", "eva_config", "inference_mode", "megatron_config", "megatron_core", "peft_version", "qalora_group_size",
        "revision", "runtime_config", "task_type",
    ];

    /// <summary>
    /// The file for adapters of <paramref name="roles"/> in every layer of the model in <paramref name="folder"/>. Only fields that peft 0.6 knows:
    /// it refuses others, and later versions take what is missing (use_rslora, use_dora) as false.
    /// </summary>
    public static byte[] Write(LoraConfig lora, ModelSpec spec, IEnumerable<Role> roles, string folder)
    {
        IEnumerable<string> modules = roles.Select(role => spec.Names.Modules[role].Split('.')[^1]).Order(StringComparer.Ordinal);
        var json = new JsonObject
        {
            ["peft_type"] = "LORA",
            ["task_type"] = "CAUSAL_LM",
            ["base_model_name_or_path"] = folder,
            ["inference_mode"] = true,
            ["r"] = lora.Rank,
            ["lora_alpha"] = lora.Alpha,
            ["lora_dropout"] = lora.Dropout,
            ["target_modules"] = new JsonArray([.. modules.Select(name => JsonValue.Create(name))]),
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["modules_to_save"] = null,
            ["init_lora_weights"] = true,
            ["layers_to_transform"] = null,
            ["layers_pattern"] = null,
            ["rank_pattern"] = new JsonObject(),
            ["alpha_pattern"] = new JsonObject(),
        };
        if (lora.RankStabilized)
        {
            json["use_rslora"] = true;
        }

        return StrictJson.Write(json);
    }

    /// <summary>
    /// Reads the file of <paramref name="folder"/>. A field that is set and not known may change the function, so it is refused. Errors: NE3210
    /// there is none, NE3050, NE3052, NE3053 it is broken, NE4050 something is not supported.
    /// </summary>
    public static AdapterConfig Read(ModelFolder folder)
    {
        if (!folder.Has(FileName))
        {
            throw NoAdapter(folder, FileName);
        }

        ConfigJson json = ConfigJson.Parse(folder.Read(FileName, ConfigJson.MaxBytes), folder.PathOf(FileName));
        Require("peft_type", "LORA", "");
        Require("bias", "none", "none");
        CheckInitialisation(json);
        CheckOthers(json);
        int rank = json.Int("r", 1, LoraConfig.MaxRank);
        (double alpha, double dropout) = (json.Number("lora_alpha", 0, double.MaxValue), json.Number("lora_dropout", 0, 1, 0));
        return new AdapterConfig(new LoraConfig(rank, alpha, dropout, json.Bool("use_rslora", false)), ReadTargets(json));

        void Require(string key, string value, string otherwise)
        {
            if ((json.Text(key) ?? otherwise) is var found && found != value)
            {
                throw json.Unsupported(key, found, value);
            }
        }
    }

    /// <summary>The error for a folder that lacks <paramref name="file"/>.</summary>
    public static EngineException NoAdapter(ModelFolder folder, string file) =>
        Errors.Rule("NE3210", folder.Location, "the folder holds no PEFT adapter", expected: file, hint: "name the folder that 'tune' or peft wrote");

    /// <summary>Some initialisations change the base as well, and the adapter means nothing without that.</summary>
    private static void CheckInitialisation(ConfigJson json)
    {
        if (json.Root.TryGetProperty("init_lora_weights", out JsonElement value)
            && value.GetRawText() is not ("true" or "false" or "null" or "\"gaussian\"" or "\"eva\"" or "\"orthogonal\"") and var found)
        {
            throw json.Unsupported("init_lora_weights", found, "true, false, gaussian, eva, orthogonal");
        }
    }

    private static void CheckOthers(ConfigJson json)
    {
        string[] read = ["peft_type", "bias", "r", "lora_alpha", "lora_dropout", "use_rslora", "target_modules", "init_lora_weights"];
        foreach (JsonProperty field in json.Root.EnumerateObject().Where(f => !read.Contains(f.Name) && !WithoutEffect.Contains(f.Name)))
        {
            bool unset = field.Value.ValueKind switch
            {
                JsonValueKind.Null or JsonValueKind.False => true,
                JsonValueKind.Array => field.Value.GetArrayLength() == 0,
                JsonValueKind.Object => !field.Value.EnumerateObject().Any(),
                _ => false,
            };
            if (!unset)
            {
                throw json.Unsupported(field.Name, field.Value.GetRawText(), "nothing set there");
            }
        }
    }

    private static string[] ReadTargets(ConfigJson json)
    {
        const string Names = "a list of module names";
        if (!json.Root.TryGetProperty("target_modules", out JsonElement targets) || targets.ValueKind != JsonValueKind.Array)
        {
            throw json.Unsupported("target_modules", targets.ValueKind == JsonValueKind.Undefined ? null : targets.GetRawText(), Names);
        }

        return [.. targets.EnumerateArray().Select(Name)];

        string Name(JsonElement target)
        {
            try
            {
                return target.GetString() ?? throw json.Wrong("target_modules", Names, target);
            }
            catch (InvalidOperationException)
            {
                // Another type of value, or half a surrogate pair.
                throw json.Wrong("target_modules", Names, target);
            }
        }
    }
}
