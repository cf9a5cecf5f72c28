namespace NativeEngine.Text;

/// <summary>Finds the longest of a few strings at a position.</summary>
internal sealed class Utf8Trie
{
    private readonly Dictionary<(int Node, byte Byte), int> edges = [];
    private readonly List<int> values = [-1]; // by node; the root is node 0

    /// <summary>Adds a key; an equal one that is there already keeps its value.</summary>
    public void TryAdd(ReadOnlySpan<byte> key, int value)
    {
        int node = 0;
        foreach (byte b in key)
        {
            if (!edges.TryGetValue((node, b), out int child))
            {
                child = values.Count;
                values.Add(-1);
                edges.Add((node, b), child);
            }

            node = child;
        }

        if (values[node] < 0)
        {
            values[node] = value;
        }
    }

    /// <summary>The value of the longest key that <paramref name="text"/> begins with, or -1.</summary>
    public int Longest(ReadOnlySpan<byte> text, out int length)
    {
        int longest = -1;
        length = 0;
        int node = 0;
        for (int i = 0; i < text.Length && edges.TryGetValue((node, text[i]), out node); i++)
        {
            if (values[node] >= 0)
            {
                (longest, length) = (values[node], i + 1);
            }
        }

        return longest;
    }
}
