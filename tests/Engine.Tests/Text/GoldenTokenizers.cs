using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Testing;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>The reference tokenizers, in every variant for which there are golden ids.</summary>
internal static class GoldenTokenizers
{
    private static readonly Dictionary<string, string> Models = new()
    {
        ["spm"] = "tiny-llama",
        ["llama3"] = "tiny-llama3",
        ["qwen2"] = "tiny-qwen2",
        ["opt"] = "tiny-opt",
        ["phi"] = "tiny-phi",
    };

    /// <summary>Folder and variant of every golden tokenizer.</summary>
    public static TheoryData<string, string> Variants { get; } = new()
    {
        { "spm", "file" },
        { "spm", "auto" },
        { "spm", "slow_legacy_true" },
        { "spm", "slow_legacy_false" },
        { "spm", "sentencepiece" },
        { "llama3", "file" },
        { "llama3", "auto" },
        { "qwen2", "file" },
        { "qwen2", "auto" },
        { "opt", "file" },
        { "opt", "auto" },
        { "phi", "file" },
        { "phi", "auto" },
        { "llama2", "file" },
        { "llama2", "slow_legacy_true" },
        { "llama2", "slow_legacy_false" },
        { "llama2", "sentencepiece" },
        { "llama2", "fast_legacy_false" },
    };

    public static string Folder(string name) =>
        Models.TryGetValue(name, out string? model) ? Shared.Path("models", model) : Shared.Path("golden", "tokenizers", name);

    public static JsonElement Golden(string name, string file) =>
        JsonDocument.Parse(File.ReadAllBytes(Shared.Path("golden", "tokenizers", name, file))).RootElement;

    public static Tokenizer Load(string name, string variant)
    {
        string folder = Folder(name);
        switch (variant)
        {
            case "file":
                return Tokenizer.Load(folder, TokenizerChoice.File, SilentReporter.Instance);
            case "auto":
                return Tokenizer.Load(folder, TokenizerChoice.Auto, SilentReporter.Instance);
            case "slow_legacy_true" or "slow_legacy_false":
                return TokenizerFolder.Slow(Model(folder), TokenizerConfig.Read(new ModelFolder(folder)), variant == "slow_legacy_true", variant);
            case "sentencepiece":
                return new SentencePieceTokenizer(Model(folder), new SpecialIds(1, 2, null, [1], []), variant);
            case "fast_legacy_false":
                return WithSections(folder, "tokenizer-legacy-false-differences.json", "legacy_false");
            default:
                throw new ArgumentException(variant, nameof(variant));
        }
    }

    private static SentencePieceModel Model(string folder) =>
        SentencePieceModel.Read(new ModelFolder(folder), SilentReporter.Instance);

    private static PipelineTokenizer WithSections(string folder, string file, string key)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, TokenizerJson.FileName)))!;
        foreach ((string section, JsonNode? value) in JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, file)))![key]!.AsObject())
        {
            json[section] = value?.DeepClone();
        }

        TokenizerParts parts = TokenizerJson.Read(JsonSerializer.SerializeToUtf8Bytes(json), folder, SilentReporter.Instance);
        return new PipelineTokenizer(parts, new SpecialIds(1, 2, null, parts.Prefix, parts.Suffix), key);
    }
}
