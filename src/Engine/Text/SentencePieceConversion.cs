using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// The LlamaConverter of transformers 4.41: rewrites a SentencePiece model as the merges of tokenizer.json. The ids differ from
/// SentencePiece's own where scores tie and where a character is no piece.
/// </summary>
internal static class SentencePieceConversion
{
    private const int SpecialPieces = 3; // <unk>, <s> and </s>, which the converter gives the score 0

    public static TokenizerParts Convert(SentencePieceModel model, string file, bool legacy, bool addPrefixSpace)
    {
        Vocabulary vocabulary = model.Vocabulary.Copy();
        MergeList merges = Merges(model, vocabulary, file);
        var unknown = new UnknownRule(model.UnknownId, Fuse: true, TokenizerModel.ByteIds(vocabulary, file));
        List<Decoder> decoders = [new ReplaceDecoder("▁", " "), new ByteFallbackDecoder(), new FuseDecoder()];
        if (addPrefixSpace)
        {
            decoders.Add(new StripDecoder(' ', 1, 0));
        }

        byte[] space = Utf8.Space.ToArray();
        List<TextStage> normalizers = [];
        if (legacy)
        {
            normalizers = [new ReplaceNormalizer([(byte)' '], space)];
            if (addPrefixSpace)
            {
                normalizers.Insert(0, new PrependNormalizer(space));
            }
        }

        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            AddedTokens = new(model.Pieces.Take(SpecialPieces).Select((piece, id) => KeyValuePair.Create(piece.Text, Special(id, piece.Text)))),
            Normalizers = normalizers,
            PreTokenizers = legacy ? [] : [new Metaspace(new Rune('▁'), addPrefixSpace ? PrependScheme.First : PrependScheme.Never, split: false)],
            Encoding = new FileCharacterEncoding(vocabulary, merges.ToTable(), merges.Results, unknown, ignoreMerges: false),
            Decoders = decoders,
        };
    }

    /// <summary>A special token without any flag.</summary>
    public static AddedToken Special(int id, string content) => new(id, content, false, false, false, Normalized: false, Special: true);

    private static MergeList Merges(SentencePieceModel model, Vocabulary vocabulary, string file)
    {
        var found = new List<(int Left, int Right, float Score)>();
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            ReadOnlySpan<char> piece = model.Pieces[id].Text;
            float score = id < SpecialPieces ? 0 : model.Pieces[id].Score;
            int first = found.Count;
            for (int cut = 1; cut < piece.Length; cut++)
            {
                if (!char.IsLowSurrogate(piece[cut]) && vocabulary.Id(piece[..cut]) is int left && vocabulary.Id(piece[cut..]) is int right)
                {
                    found.Add((left, right, score));
                }
            }

            found.Sort(first, found.Count - first, Comparer<(int Left, int Right, float)>.Create((a, b) => (a.Left, a.Right).CompareTo((b.Left, b.Right))));
        }

        var merges = new MergeList(vocabulary, file);
        foreach ((int left, int right, float score) in found.OrderByDescending(m => m.Score))
        {
            merges.Add(vocabulary[left], vocabulary[right], "a merge");
        }

        return merges;
    }
}
