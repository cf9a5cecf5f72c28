using System.Text;

namespace NativeEngine.Text;

/// <summary>Encoding whose symbols are characters, in which ▁ stands for a space. Long text is cut into words where no rule can merge across.</summary>
internal abstract class CharacterEncoding : BytePairEncoding
{
    private readonly int[] asciiSymbols = new int[128];
    private readonly Utf8Map otherSymbols = new();
    private readonly List<int> otherSymbolIds = [];
    private readonly HashSet<Rune> bridged = []; // characters that some token has in front of an inner ▁
    private readonly bool cuttable;

    /// <param name="symbols">single characters and their symbols</param>
    /// <param name="merges">rules over symbols</param>
    /// <param name="longTokens">every token that is more than one first symbol, or takes several characters at once</param>
    /// <param name="keepsAll">every character becomes at least one symbol; without that, what is around a lost one may merge</param>
    protected CharacterEncoding(IEnumerable<(Rune Character, int Symbol)> symbols, MergeTable merges, IEnumerable<string> longTokens, bool keepsAll)
        : base(merges)
    {
        Array.Fill(asciiSymbols, -1);
        Span<byte> utf8 = stackalloc byte[4];
        foreach ((Rune character, int symbol) in symbols)
        {
            if (character.IsAscii)
            {
                asciiSymbols[character.Value] = symbol;
            }
            else
            {
                ReadOnlySpan<byte> key = utf8[..character.EncodeToUtf8(utf8)];
                otherSymbols.Find(key, out uint hash);
                otherSymbols.Add(key, hash);
                otherSymbolIds.Add(symbol);
            }
        }

        foreach (string token in longTokens)
        {
            for (int at = token.IndexOf('▁', StringComparison.Ordinal); at >= 0; at = token.IndexOf('▁', at + 1))
            {
                if (at > 0 && Rune.DecodeLastFromUtf16(token.AsSpan(0, at), out Rune before, out _) == System.Buffers.OperationStatus.Done)
                {
                    bridged.Add(before);
                }
            }
        }

        cuttable = keepsAll && otherSymbols.Find(Utf8.Space) >= 0;
    }

    public override void Encode(ReadOnlySpan<byte> piece, Workspace workspace, List<int> ids)
    {
        while (cuttable && piece.Length > 0)
        {
            int end = WordEnd(piece);
            EncodeWord(piece[..end], workspace, ids);
            piece = piece[end..];
        }

        if (piece.Length > 0)
        {
            EncodeWord(piece, workspace, ids);
        }
    }

    /// <summary>The symbol of one character given as UTF-8, or -1.</summary>
    protected int Symbol(ReadOnlySpan<byte> character)
    {
        if (character.Length == 1)
        {
            return asciiSymbols[character[0]];
        }

        int entry = otherSymbols.Find(character);
        return entry < 0 ? -1 : otherSymbolIds[entry];
    }

    /// <summary>Where the first word ends: before the next ▁ that follows a character which no token has in front of an inner ▁.</summary>
    private int WordEnd(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (true)
        {
            int skip = text[(at + 1)..].IndexOf(Utf8.Space);
            if (skip < 0)
            {
                return text.Length;
            }

            at += 1 + skip;
            Rune.DecodeLastFromUtf8(text[..at], out Rune before, out _);
            if (!bridged.Contains(before))
            {
                return at;
            }
        }
    }
}

/// <summary>The BPE of tokenizer.json over characters: what is unknown becomes byte tokens or the unknown token before anything is merged.</summary>
internal sealed class FileCharacterEncoding : CharacterEncoding
{
    private readonly UnknownRule unknown;
    private readonly Vocabulary? wholeWords;

    /// <param name="vocabulary">the tokens</param>
    /// <param name="merges">rules over token ids</param>
    /// <param name="results">the tokens that rules produce</param>
    /// <param name="unknown">what to do with characters that are no tokens</param>
    /// <param name="ignoreMerges">a piece that is a token is that token</param>
    public FileCharacterEncoding(Vocabulary vocabulary, MergeTable merges, IEnumerable<string> results, UnknownRule unknown, bool ignoreMerges)
        : base(SingleCharacters(vocabulary), merges, results, keepsAll: unknown.Id >= 0 || unknown.ByteIds is not null)
    {
        this.unknown = unknown;
        wholeWords = ignoreMerges ? vocabulary : null;
    }

    public static IEnumerable<(Rune Character, int Symbol)> SingleCharacters(Vocabulary vocabulary)
    {
        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary[id] is { Length: 1 or 2 } token && Rune.TryGetRuneAt(token, 0, out Rune rune) && rune.Utf16SequenceLength == token.Length)
            {
                yield return (rune, id);
            }
        }
    }

    public override void Encode(ReadOnlySpan<byte> piece, Workspace workspace, List<int> ids)
    {
        if (wholeWords?.Id(Encoding.UTF8.GetString(piece)) is int id)
        {
            ids.Add(id);
        }
        else
        {
            base.Encode(piece, workspace, ids);
        }
    }

    protected override int FirstSymbols(ReadOnlySpan<byte> word, Span<int> symbols)
    {
        int count = 0;
        bool pending = false; // an unknown token not written yet, which may take in more characters
        for (int at = 0, length; at < word.Length; at += length)
        {
            length = Utf8.SequenceLength(word[at]);
            ReadOnlySpan<byte> character = word.Slice(at, length);
            int symbol = Symbol(character);
            if (symbol >= 0)
            {
                if (pending)
                {
                    symbols[count++] = unknown.Id;
                    pending = false;
                }

                symbols[count++] = symbol;
            }
            else if (unknown.ByteIds is not null)
            {
                foreach (byte b in character)
                {
                    symbols[count++] = unknown.ByteIds[b];
                }
            }
            else if (unknown.Id >= 0)
            {
                if (pending && !unknown.Fuse)
                {
                    symbols[count++] = unknown.Id;
                }

                pending = true;
            }
        }

        if (pending)
        {
            symbols[count++] = unknown.Id;
        }

        return count;
    }
}

/// <summary>What becomes of a character that is no token.</summary>
/// <param name="Id">the unknown token, or -1: such characters vanish</param>
/// <param name="Fuse">adjacent ones are one token</param>
/// <param name="ByteIds">the token of each byte, used instead where there are such</param>
internal sealed record UnknownRule(int Id, bool Fuse, int[]? ByteIds);
