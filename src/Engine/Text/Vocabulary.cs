namespace NativeEngine.Text;

/// <summary>Tokens and their ids. Ids may have holes, which are reserved and have no text.</summary>
internal sealed class Vocabulary
{
    /// <summary>Far above any vocabulary in use; keeps a broken id from sizing an array.</summary>
    public const int MaxSize = 4_000_000;

    private readonly List<string?> tokens = [];
    private readonly Dictionary<string, int> ids = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> idsBySpan;

    public Vocabulary() => idsBySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Largest id + 1.</summary>
    public int Size => tokens.Count;

    /// <summary>Tokens that have a text.</summary>
    public int Count => ids.Count;

    /// <summary>The text of an id; null for a hole and beyond the last id.</summary>
    public string? this[int id] => (uint)id < (uint)tokens.Count ? tokens[id] : null;

    /// <summary>The id of a token, or null.</summary>
    public int? Id(ReadOnlySpan<char> token) => idsBySpan.TryGetValue(token, out int id) ? id : null;

    /// <summary>Adds a token; false when the id or the text is taken.</summary>
    public bool TryAdd(string token, int id)
    {
        if (this[id] is not null || !ids.TryAdd(token, id))
        {
            return false;
        }

        while (tokens.Count <= id)
        {
            tokens.Add(null);
        }

        tokens[id] = token;
        return true;
    }

    /// <summary>A copy that can grow on its own.</summary>
    public Vocabulary Copy()
    {
        var copy = new Vocabulary();
        foreach ((string token, int id) in ids.OrderBy(t => t.Value))
        {
            copy.TryAdd(token, id);
        }

        return copy;
    }
}
