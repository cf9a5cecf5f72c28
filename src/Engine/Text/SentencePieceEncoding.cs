using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// The BPE of SentencePiece: of all adjacent pairs that form a piece, the one of the highest score merges first. Characters that are no
/// pieces take part; what is unknown after merging becomes byte pieces or the unknown piece.
/// </summary>
internal sealed class SentencePieceEncoding : CharacterEncoding
{
    private readonly SentencePieceModel model;
    private readonly Utf8Trie userDefined;
    private readonly bool hasUserDefined;

    private SentencePieceEncoding(SentencePieceModel model, Utf8Trie userDefined, IReadOnlyList<(Rune Character, int Symbol)> symbols, MergeTable merges)
        : base(symbols, merges, model.Pieces.Where(IsText).Select(p => p.Text), keepsAll: true)
    {
        this.model = model;
        this.userDefined = userDefined;
        hasUserDefined = model.Pieces.Any(p => p.Type == PieceType.UserDefined);
    }

    public static SentencePieceEncoding Build(SentencePieceModel model, Utf8Trie userDefined)
    {
        Dictionary<Rune, int> symbols = FileCharacterEncoding.SingleCharacters(model.Vocabulary).ToDictionary(s => s.Character, s => s.Symbol);
        int nextSymbol = model.Pieces.Count;
        foreach (Rune character in model.Pieces.Where(p => p.Type == PieceType.Normal).SelectMany(p => p.Text.EnumerateRunes()))
        {
            if (symbols.TryAdd(character, nextSymbol))
            {
                nextSymbol++; // a character that is no piece, only part of some
            }
        }

        var scores = model.Pieces.Select(p => p.Score).Distinct().OrderDescending().ToList();
        Dictionary<float, int> ranks = Enumerable.Range(0, scores.Count).ToDictionary(i => scores[i]);
        var merges = new List<(int, int, Merge)>();
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            SentencePiece piece = model.Pieces[id];
            if (piece.Type != PieceType.Normal)
            {
                continue;
            }

            ReadOnlySpan<char> text = piece.Text;
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (!char.IsLowSurrogate(text[cut]) && Symbol(text[..cut]) is int left && Symbol(text[cut..]) is int right)
                {
                    merges.Add((left, right, new Merge(ranks[piece.Score], id)));
                }
            }
        }

        return new SentencePieceEncoding(model, userDefined, [.. symbols.Select(s => (s.Key, s.Value))], new MergeTable(merges));

        // What a part of a piece is while merging; null when it never comes up. User-defined pieces do not merge.
        int? Symbol(ReadOnlySpan<char> part)
        {
            int? id = model.Vocabulary.Id(part);
            if (id is int known && model.Pieces[known].Type is PieceType.Normal)
            {
                return known;
            }

            Rune.DecodeFromUtf16(part, out Rune rune, out int length);
            return length == part.Length && id is null ? symbols[rune] : null;
        }
    }

    protected override int FirstSymbols(ReadOnlySpan<byte> word, Span<int> symbols)
    {
        int count = 0;
        for (int at = 0, length; at < word.Length; at += length)
        {
            int piece = -1;
            length = 0;
            if (hasUserDefined)
            {
                piece = userDefined.Longest(word[at..], out length);
            }

            if (piece < 0)
            {
                length = Utf8.SequenceLength(word[at]);
                piece = Symbol(word.Slice(at, length));
            }

            symbols[count++] = piece >= 0 ? piece : ~at;
        }

        return count;
    }

    protected override void Finish(ReadOnlySpan<byte> word, ReadOnlySpan<int> symbols, List<int> ids)
    {
        bool afterUnknown = false;
        int at = 0;
        foreach (int symbol in symbols)
        {
            bool known = symbol >= 0 && symbol < model.Pieces.Count;
            int length = known ? Encoding.UTF8.GetByteCount(model.Pieces[symbol].Text) : Utf8.SequenceLength(word[at]);
            if (known)
            {
                ids.Add(symbol);
            }
            else if (model.ByteIds is not null)
            {
                foreach (byte b in word.Slice(at, length))
                {
                    ids.Add(model.ByteIds[b]);
                }
            }
            else if (!afterUnknown)
            {
                ids.Add(model.UnknownId);
            }

            afterUnknown = !known && model.ByteIds is null;
            at += length;
        }
    }

    private static bool IsText(SentencePiece piece) => piece.Type is PieceType.Normal or PieceType.UserDefined;
}
