namespace NativeEngine.Checkpoints;

/// <summary>Token windows of equal width, row after row, with a mask of the same size where some are padded.</summary>
internal sealed record TokenWindows(int[] Ids, int[]? Mask, int Rows, int Width)
{
    /// <summary><paramref name="count"/> windows from <paramref name="from"/> on.</summary>
    public TokenWindows RowRange(int from, int count)
    {
        Range range = (from * Width)..((from + count) * Width);
        return new TokenWindows(Ids[range], Mask?[range], count, Width);
    }

    /// <summary>For every position the id of the next one, which is to be predicted there; -1 at the end of a window, beside padding, and in front of <paramref name="ignoredId"/>.</summary>
    public int[] NextIds(int? ignoredId = null)
    {
        var next = new int[Ids.Length];
        for (int i = 0; i < next.Length; i++)
        {
            bool counts = i % Width != Width - 1 && Ids[i + 1] != ignoredId && (Mask is null || (Mask[i] != 0 && Mask[i + 1] != 0));
            next[i] = counts ? Ids[i + 1] : -1;
        }

        return next;
    }
}
