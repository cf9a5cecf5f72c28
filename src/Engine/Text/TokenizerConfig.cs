using System.Globalization;
using System.Text.Json;
using NativeEngine.Checkpoints;

namespace NativeEngine.Text;

/// <summary>What tokenizer_config.json and special_tokens_map.json say, with the defaults of the tokenizer class.</summary>
internal sealed class TokenizerConfig
{
    private const string FileName = "tokenizer_config.json";
    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private readonly Dictionary<string, string?> roles = [];

    /// <summary>Defaults of the class named in the file, or of the one that goes with the model type.</summary>
    public TokenizerClass Class { get; private set; } = TokenizerClass.Generic;

    /// <summary>The flag <c>legacy</c>; on where it is not given.</summary>
    public bool Legacy { get; private set; } = true;

    /// <summary>The flag <c>add_prefix_space</c>; null where it is not given.</summary>
    public bool? AddPrefixSpace { get; private set; }

    /// <summary>The flag <c>add_bos_token</c>.</summary>
    public bool? AddBos { get; private set; }

    /// <summary>The flag <c>add_eos_token</c>.</summary>
    public bool? AddEos { get; private set; }

    /// <summary>The entries of <c>added_tokens_decoder</c>, by id.</summary>
    public List<AddedToken> AddedTokens { get; } = [];

    /// <summary>All special tokens in the order in which the reference adds them.</summary>
    public List<string> SpecialTokens { get; } = [];

    public string? Bos => roles.GetValueOrDefault("bos_token");

    public string? Eos => roles.GetValueOrDefault("eos_token");

    public string? Pad => roles.GetValueOrDefault("pad_token");

    /// <exception cref="EngineException">NE3101, NE3102: a file is broken</exception>
    public static TokenizerConfig Read(ModelFolder folder)
    {
        var config = new TokenizerConfig();
        bool found = TryOpen(folder, FileName, out JsonDocument? document, out JsonField root);
        using (document)
        {
            config.Class = TokenizerClass.Find(found ? root.Optional("tokenizer_class")?.Text() : null, ModelType(folder));
            foreach ((string role, string? token) in config.Class.Defaults)
            {
                config.roles[role] = token;
            }

            if (found)
            {
                config.ReadFlags(root);
                config.ReadAddedTokens(root);
                config.ReadRoles(root);
            }
        }

        if (config.AddedTokens.Count == 0)
        {
            found = TryOpen(folder, "special_tokens_map.json", out document, out root);
            using (document)
            {
                if (found)
                {
                    config.ReadRoles(root);
                }
            }
        }

        config.SpecialTokens.InsertRange(0, Roles.Select(r => config.roles.GetValueOrDefault(r)).OfType<string>());
        return config;
    }

    private static bool TryOpen(ModelFolder folder, string name, out JsonDocument? document, out JsonField root)
    {
        string path = folder.PathOf(name);
        document = folder.Has(name) ? StrictJson.Parse(folder.Read(name), path, "NE3101") : null;
        root = document is null ? default : new JsonField(document.RootElement, "", path);
        return document is not null;
    }

    private static string? ModelType(ModelFolder folder)
    {
        bool found = TryOpen(folder, "config.json", out JsonDocument? document, out JsonField root);
        using (document)
        {
            return found && root.Optional("model_type") is { IsText: true } type ? type.Text() : null;
        }
    }

    private void ReadFlags(JsonField root)
    {
        Legacy = root.Flag("legacy", true);
        AddPrefixSpace = root.Optional("add_prefix_space")?.Flag();
        AddBos = root.Optional("add_bos_token")?.Flag();
        AddEos = root.Optional("add_eos_token")?.Flag();
    }

    private void ReadAddedTokens(JsonField root)
    {
        foreach ((string name, JsonField field) in root.Optional("added_tokens_decoder")?.Members() ?? [])
        {
            bool valid = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < Vocabulary.MaxSize;
            AddedTokens.Add(valid ? TokenizerJson.AddedToken(field, id) : throw field.Wrong($"named by an id below {Vocabulary.MaxSize}"));
        }

        AddedTokens.Sort((a, b) => a.Id.CompareTo(b.Id));
    }

    private void ReadRoles(JsonField root)
    {
        foreach ((string name, JsonField field) in root.Members())
        {
            if (Roles.Contains(name))
            {
                roles[name] = field.IsNull ? null : Content(field);
            }
            else if (name == "additional_special_tokens" && !field.IsNull)
            {
                SpecialTokens.AddRange(field.Items().Select(Content).Where(t => !SpecialTokens.Contains(t)));
            }
        }
    }

    private static string Content(JsonField field) => field.IsObject ? field.Required("content").Text() : field.Text();
}
