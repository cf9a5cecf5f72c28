namespace NativeEngine.Text;

/// <summary>Merges in order of rank, checked against a vocabulary.</summary>
internal sealed class MergeList(Vocabulary vocabulary, string file)
{
    private readonly List<(int Left, int Right, Merge Merge)> merges = [];
    private char[] joined = new char[64];

    /// <summary>The tokens that merges produce.</summary>
    public IEnumerable<string> Results => merges.Select(m => vocabulary[m.Merge.Symbol]!).Distinct();

    /// <summary>Adds a merge written as two tokens with one space between; a line that begins with #version is skipped.</summary>
    public void AddLine(string line, string where)
    {
        if (line.StartsWith("#version", StringComparison.Ordinal))
        {
            return;
        }

        int space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || line.IndexOf(' ', space + 1) >= 0)
        {
            throw new EngineException("NE3105", $"{where} is not a merge")
            {
                File = file,
                Key = where,
                Found = $"'{line}'",
                Expected = "two tokens with one space between",
                Hint = "fetch the tokenizer files of the model again",
            };
        }

        Add(line.AsSpan(0, space), line.AsSpan(space + 1), where);
    }

    /// <summary>Adds the merge of two tokens.</summary>
    public void Add(ReadOnlySpan<char> left, ReadOnlySpan<char> right, string where)
    {
        int leftId = vocabulary.Id(left) ?? throw Missing("NE3106", "a merge of", left, where);
        int rightId = vocabulary.Id(right) ?? throw Missing("NE3106", "a merge of", right, where);
        int length = left.Length + right.Length;
        if (joined.Length < length)
        {
            joined = new char[length];
        }

        left.CopyTo(joined);
        right.CopyTo(joined.AsSpan(left.Length));
        ReadOnlySpan<char> result = joined.AsSpan(0, length);
        int id = vocabulary.Id(result) ?? throw Missing("NE3107", "a merge into", result, where);
        merges.Add((leftId, rightId, new Merge(merges.Count, id)));
    }

    public MergeTable ToTable() => new(merges);

    private EngineException Missing(string code, string what, ReadOnlySpan<char> token, string where)
    {
        string found = token.Length > 80 ? $"{token[..80]}…" : token.ToString();
        return new EngineException(code, $"{where} is {what} '{found}', which is not in the vocabulary")
        {
            File = file,
            Key = where,
            Found = found,
            Expected = "a token of the vocabulary",
            Hint = "fetch the tokenizer files of the model again",
        };
    }
}
