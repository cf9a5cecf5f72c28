namespace NativeEngine.Text;

/// <summary>What the tokenizer classes of transformers 4.41 do beyond what the files say, as data.</summary>
/// <param name="Name">without the ending Fast</param>
/// <param name="ModelTypes">models whose class it is when tokenizer_config.json names none</param>
/// <param name="Defaults">special tokens by role</param>
internal sealed record TokenizerClass(string Name, string[] ModelTypes, (string Role, string? Token)[] Defaults)
{
    private const string Qwen2Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly (string, string?)[] EndOfText =
        [("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];

    private static readonly TokenizerClass[] Known =
    [
        new("LlamaTokenizer", ["llama", "mistral", "mixtral", "phi3"], [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")])
        {
            IsLlama = true,
        },
        new("GPT2Tokenizer", ["gpt2", "opt", "gptj"], EndOfText) { PrefixSpaceByConfig = true, BosByConfig = true },
        new("CodeGenTokenizer", ["phi", "codegen"], EndOfText) { PrefixSpaceByConfig = true },
        new("GPTNeoXTokenizer", ["gpt_neox", "stablelm", "olmo"], EndOfText),
        new("Qwen2Tokenizer", ["qwen2", "qwen2_moe"], [("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>"), ("pad_token", "<|endoftext|>")])
        {
            Pattern = Qwen2Pattern,
            ComposesCharacters = true,
        },
    ];

    /// <summary>A class that adds nothing, such as PreTrainedTokenizerFast.</summary>
    public static TokenizerClass Generic { get; } = new("PreTrainedTokenizer", [], []);

    /// <summary>Writes the template anew from add_bos_token and add_eos_token, and converts tokenizer.model where add_prefix_space is set.</summary>
    public bool IsLlama { get; private init; }

    /// <summary>add_prefix_space of the configuration replaces that of a ByteLevel pre-tokenizer.</summary>
    public bool PrefixSpaceByConfig { get; private init; }

    /// <summary>Converted from vocab.json, add_bos_token puts the token in front.</summary>
    public bool BosByConfig { get; private init; }

    /// <summary>Converted from vocab.json: the split pattern.</summary>
    public string Pattern { get; private init; } = TokenizerComponents.Gpt2Pattern;

    /// <summary>Converted from vocab.json: text is put into NFC first.</summary>
    public bool ComposesCharacters { get; private init; }

    public static TokenizerClass Find(string? name, string? modelType)
    {
        string? stem = name is not null && name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;
        return Known.FirstOrDefault(c => stem is null ? c.ModelTypes.Contains(modelType) : c.Name == stem) ?? Generic;
    }
}
