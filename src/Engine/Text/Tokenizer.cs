using System.Text;

namespace NativeEngine.Text;

/// <summary>Turns text into ids and back. Safe to use from several threads.</summary>
internal abstract class Tokenizer
{
    private static readonly UTF8Encoding Utf8Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private protected Tokenizer(Vocabulary vocabulary, SpecialIds special, string description)
    {
        Vocabulary = vocabulary;
        Special = special;
        Description = description;
    }

    /// <summary>Largest id + 1.</summary>
    public int VocabSize => Vocabulary.Size;

    /// <summary>Id of the token that begins a text, if there is one.</summary>
    public int? BosId => Special.Bos;

    /// <summary>Id of the token that ends a text, if there is one.</summary>
    public int? EosId => Special.Eos;

    /// <summary>Id of the padding token, if there is one.</summary>
    public int? PadId => Special.Pad;

    /// <summary>Whether <see cref="Encode"/> with special tokens puts <see cref="BosId"/> first.</summary>
    public bool AddsBos => Special.Prefix.Count > 0 && Special.Prefix[0] == BosId;

    /// <summary>Which rules and which file, such as "auto: tokenizer.model, legacy".</summary>
    public string Description { get; }

    internal Vocabulary Vocabulary { get; }

    private protected SpecialIds Special { get; }

    /// <summary>Reads the tokenizer of a model folder: <paramref name="choice"/>, or <paramref name="otherwise"/> where none was made.</summary>
    /// <exception cref="EngineException">NE31xx: a file is broken; NE41xx: it needs something that is not supported; NE8100: ICU is missing</exception>
    public static Tokenizer Load(string folder, TokenizerChoice? choice, IReporter reporter, TokenizerChoice otherwise = TokenizerChoice.Auto) =>
        TokenizerFolder.Load(folder, choice, otherwise, reporter);

    /// <summary>The ids of <paramref name="text"/>; with <paramref name="addSpecial"/> between the tokens that begin and end a text.</summary>
    /// <exception cref="EngineException">NE3154: the text holds half a surrogate pair</exception>
    public int[] Encode(ReadOnlySpan<char> text, bool addSpecial)
    {
        byte[] utf8 = new byte[Utf8Strict.GetMaxByteCount(text.Length)];
        try
        {
            return EncodeValid(utf8.AsSpan(0, Utf8Strict.GetBytes(text, utf8)), addSpecial);
        }
        catch (EncoderFallbackException e)
        {
            throw new EngineException("NE3154", $"the text holds half a surrogate pair at character {e.Index}", e)
            {
                Key = "text",
                Expected = "Unicode text",
                Hint = "remove the broken character",
            };
        }
    }

    /// <summary>As <see cref="Encode"/>, of text that is UTF-8 already.</summary>
    /// <exception cref="EngineException">NE3151: the text is not valid UTF-8</exception>
    public int[] EncodeUtf8(ReadOnlySpan<byte> text, bool addSpecial)
    {
        int invalid = Utf8.FirstInvalid(text);
        return invalid < 0 ? EncodeValid(text, addSpecial) : throw TextFault.NotUtf8(null, invalid, text[invalid]);
    }

    /// <summary>The text of <paramref name="ids"/>; incomplete UTF-8 shows as U+FFFD. <paramref name="skipSpecial"/> leaves special tokens out.</summary>
    /// <exception cref="EngineException">NE3155: an id has no token</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        foreach (int id in ids)
        {
            if (Vocabulary[id] is null)
            {
                throw new EngineException("NE3155", $"id {id} has no token")
                {
                    Key = "id",
                    Found = $"{id}",
                    Expected = $"the id of a token, 0 to {VocabSize - 1}",
                    Hint = id >= 0 && id < VocabSize ? "the id is a hole in the vocabulary" : "use the tokenizer that the ids were made with",
                };
            }
        }

        return DecodeKnown(ids, skipSpecial);
    }

    /// <summary>Appends the ids of valid UTF-8, without special tokens around it.</summary>
    private protected abstract void EncodeText(ReadOnlySpan<byte> text, List<int> ids);

    /// <summary>The text of ids that all have tokens.</summary>
    private protected abstract string DecodeKnown(ReadOnlySpan<int> ids, bool skipSpecial);

    private int[] EncodeValid(ReadOnlySpan<byte> text, bool addSpecial)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        if (addSpecial)
        {
            ids.AddRange(Special.Prefix);
        }

        EncodeText(text, ids);
        if (addSpecial)
        {
            ids.AddRange(Special.Suffix);
        }

        return [.. ids];
    }
}

/// <summary>Ids with a role.</summary>
/// <param name="Bos">begins a text</param>
/// <param name="Eos">ends a text</param>
/// <param name="Pad">fills up a batch</param>
/// <param name="Prefix">put in front of a text</param>
/// <param name="Suffix">put behind a text</param>
internal sealed record SpecialIds(int? Bos, int? Eos, int? Pad, IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix);
