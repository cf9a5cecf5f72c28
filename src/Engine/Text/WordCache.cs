using System.Runtime.InteropServices;

namespace NativeEngine.Text;

/// <summary>Remembers the ids of words. Text repeats itself, so most words are merged only once.</summary>
internal sealed class WordCache
{
    private const int MaxWordBytes = 64;
    private const int MaxWords = 1 << 17;
    private readonly Utf8Map words = new();
    private readonly List<int> ids = [];
    private readonly List<int> ends = []; // by word: where its ids end

    /// <summary>Appends the ids of <paramref name="word"/> if they are known; <paramref name="hash"/> is for <see cref="Add"/>.</summary>
    public bool TryAppend(ReadOnlySpan<byte> word, List<int> output, out uint hash)
    {
        hash = 0;
        if (word.Length > MaxWordBytes)
        {
            return false;
        }

        int entry = words.Find(word, out hash);
        if (entry < 0)
        {
            return false;
        }

        int start = entry == 0 ? 0 : ends[entry - 1];
        output.AddRange(CollectionsMarshal.AsSpan(ids)[start..ends[entry]]);
        return true;
    }

    /// <summary>Remembers a word that is not there yet.</summary>
    public void Add(ReadOnlySpan<byte> word, uint hash, ReadOnlySpan<int> wordIds)
    {
        if (word.Length > MaxWordBytes)
        {
            return;
        }

        if (words.Count == MaxWords)
        {
            words.Clear();
            ids.Clear();
            ends.Clear();
        }

        words.Add(word, hash);
        ids.AddRange(wordIds);
        ends.Add(ids.Count);
    }
}
