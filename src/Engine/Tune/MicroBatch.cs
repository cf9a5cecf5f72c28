namespace NativeEngine.Tune;

/// <summary>What one forward and backward runs on: rows of equal width, on the host, row after row.</summary>
/// <param name="Ids">(Rows, Width) tokens; <see cref="PadId"/> where there is none</param>
/// <param name="Labels">(Rows, Width) the token itself where it is to be predicted from those in front of it, else <see cref="Ignored"/></param>
/// <param name="Mask">(Rows, Width) 1 for tokens, 0 for padding; null when there is no padding, and in packed rows, where nothing sees it</param>
/// <param name="First">(Rows, Width) the first position of the row that a position sees: the start of its example; null where that is 0 for all</param>
/// <param name="Rows">B</param>
/// <param name="Width">T</param>
/// <param name="TargetCount">labels that are not ignored: the divisor of a mean loss</param>
internal sealed record MicroBatch(int[] Ids, int[] Labels, int[]? Mask, int[]? First, int Rows, int Width, int TargetCount)
{
    /// <summary>The label of a position that is not trained on.</summary>
    public const int Ignored = -100;

    /// <summary>The id in padding. It is never trained on nor seen, so it need not be the model's own.</summary>
    public const int PadId = 0;

    /// <summary>The rows in parts of <paramref name="rows"/>, each with the number of rows in front of it, without those in which nothing is to be predicted.</summary>
    public IEnumerable<(int FirstRow, MicroBatch Part)> Parts(int rows) => rows >= Rows
        ? [(0, this)]
        : Enumerable.Range(0, Rows).Chunk(rows).Select(part => (part[0], RowRange(part[0], part.Length))).Where(part => part.Item2.TargetCount > 0);

    /// <summary>(Rows, Width) for every position the label of the next one, which is what its logits are compared with.</summary>
    public int[] Targets()
    {
        int[] targets = [.. Labels.AsSpan(1), Ignored];
        for (int end = Width - 1; end < targets.Length; end += Width)
        {
            targets[end] = Ignored;
        }

        return targets;
    }

    private MicroBatch RowRange(int from, int count)
    {
        int[] labels = Cut(Labels)!;
        return new MicroBatch(Cut(Ids)!, labels, Cut(Mask), Cut(First), count, Width, labels.Count(l => l != Ignored));

        int[]? Cut(int[]? values) => values?[(from * Width)..((from + count) * Width)];
    }
}
