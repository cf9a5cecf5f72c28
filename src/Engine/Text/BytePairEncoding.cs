using System.Runtime.InteropServices;

namespace NativeEngine.Text;

/// <summary>Turns a piece of text into ids: first symbols, merged by rule. The kinds differ in what the first symbols are.</summary>
internal abstract class BytePairEncoding(MergeTable merges)
{
    /// <summary>A working space for <see cref="Encode"/>. It serves one thread, and only this encoding.</summary>
    public Workspace NewWorkspace() => new(new Merger(merges));

    /// <summary>Appends the ids of <paramref name="piece"/>.</summary>
    public virtual void Encode(ReadOnlySpan<byte> piece, Workspace workspace, List<int> ids) => EncodeWord(piece, workspace, ids);

    /// <summary>As <see cref="Encode"/>, of text that no rule merges with what is around it.</summary>
    protected void EncodeWord(ReadOnlySpan<byte> word, Workspace workspace, List<int> ids)
    {
        if (workspace.Cache.TryAppend(word, ids, out uint hash))
        {
            return;
        }

        int before = ids.Count;
        if (WholeWord(word) is int id)
        {
            ids.Add(id);
        }
        else
        {
            Span<int> symbols = workspace.Symbols(word.Length);
            symbols = symbols[..FirstSymbols(word, symbols)];
            Finish(word, symbols[..workspace.Merger.Merge(symbols)], ids);
        }

        workspace.Cache.Add(word, hash, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    /// <summary>The id of a word that is a token by itself and is not merged (ignore_merges).</summary>
    protected virtual int? WholeWord(ReadOnlySpan<byte> word) => null;

    /// <summary>Writes the symbols before any merge; never more than the word has bytes. Returns how many.</summary>
    protected abstract int FirstSymbols(ReadOnlySpan<byte> word, Span<int> symbols);

    /// <summary>Appends the ids of the symbols left after merging.</summary>
    protected virtual void Finish(ReadOnlySpan<byte> word, ReadOnlySpan<int> symbols, List<int> ids) => ids.AddRange(symbols);

    /// <summary>Buffers that live from one piece to the next.</summary>
    internal sealed class Workspace(Merger merger)
    {
        private int[] symbols = new int[64];

        public Merger Merger => merger;

        public WordCache Cache { get; } = new();

        public Span<int> Symbols(int count)
        {
            if (symbols.Length < count)
            {
                symbols = new int[int.Max(count, 2 * symbols.Length)];
            }

            return symbols.AsSpan(0, count);
        }
    }
}

/// <summary>Byte-level encoding: a symbol is a byte, so that nothing is ever unknown.</summary>
/// <param name="byteIds">the token of each byte</param>
/// <param name="merges">rules over token ids</param>
/// <param name="words">with ignore_merges: tokens by their bytes; entry i has id wordIds[i]</param>
/// <param name="wordIds">see words</param>
internal sealed class ByteLevelEncoding(int[] byteIds, MergeTable merges, Utf8Map? words, IReadOnlyList<int> wordIds) : BytePairEncoding(merges)
{
    protected override int? WholeWord(ReadOnlySpan<byte> word) => words?.Find(word) is int entry and >= 0 ? wordIds[entry] : null;

    protected override int FirstSymbols(ReadOnlySpan<byte> word, Span<int> symbols)
    {
        for (int i = 0; i < word.Length; i++)
        {
            symbols[i] = byteIds[word[i]];
        }

        return word.Length;
    }
}
