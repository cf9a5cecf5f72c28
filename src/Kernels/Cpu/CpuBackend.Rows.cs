using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <summary>
    /// Work of one piece, in simple operations on one element: some microseconds, so that handing it to a thread pays.
    /// An op with less work in all runs on the caller's thread.
    /// </summary>
    private const long WorkPerPiece = 1 << 15;

    /// <summary>Rows whose sums are kept apart, so that blocks can be summed in parallel: at least so many, and at most so many blocks.</summary>
    private const long RowsPerBlock = 32, MaxBlocks = 64;

    /// <summary>
    /// Runs body(first, end) over 0 .. rows - 1 in pieces of whole rows. Their size follows from the work alone, never from the
    /// number of threads, and no row is shared, so results do not depend on who runs what.
    /// </summary>
    private void ForRows(long rows, long workPerRow, Action<long, long> body) =>
        team.ForRanges(rows, Math.Max(1, WorkPerPiece / Math.Max(1, workPerRow)), body);

    /// <summary>
    /// Runs body(first, end) over the columns in pieces of whole cache lines, for an op that must visit the rows in order. There are
    /// few pieces, because short parts of rows far apart are slow to read.
    /// </summary>
    private void ForColumns(long rows, long columns, Action<long, long> body) =>
        team.ForRanges(columns, RoundUp(Math.Max(columns / 16, WorkPerPiece / Math.Max(1, rows)), 64), body);

    /// <summary>
    /// Sums over all rows: addRows(first, end, sums) adds what it takes from these rows to <paramref name="sums"/> sums, and may
    /// write up to a whole vector. Blocks of rows are summed apart and then added in order; the blocks follow from the number of
    /// rows alone. The first row of the result holds the sums; the caller disposes it.
    /// </summary>
    private Tensor SumRows(long rows, long sums, Action<long, long, Span<double>> addRows)
    {
        long block = Math.Max(RowsPerBlock, (rows + MaxBlocks - 1) / MaxBlocks), blocks = Math.Max(1, (rows + block - 1) / block);
        Tensor parts = Alloc(DType.F64, new Shape(blocks, PaddedColumns(sums)));
        team.For(blocks, i =>
        {
            Span<double> part = parts.Row<double>(i);
            part.Clear();
            addRows(i * block, Math.Min(rows, (i + 1) * block), part);
        });
        ForColumns(blocks, sums, (first, end) =>
        {
            Span<double> total = parts.Row<double>(0)[(int)first..(int)end];
            for (long i = 1; i < blocks; i++)
            {
                RowMath.Add<double>(total, parts.Row<double>(i)[(int)first..(int)end]);
            }
        });
        return parts;
    }

    /// <summary>b += sums</summary>
    private static void AddSums(Tensor b, ReadOnlySpan<double> sums)
    {
        if (b.DType == DType.F64)
        {
            RowMath.Add(b.Row<double>(0), sums);
            return;
        }

        Span<float> to = b.Row<float>(0);
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = (float)(to[i] + sums[i]);
        }
    }

    /// <summary>So many that whole vectors of either type fill them.</summary>
    private static long PaddedColumns(long columns) => RoundUp(columns, Vector512<float>.Count);

    private static long RoundUp(long x, long multiple) => (x + multiple - 1) / multiple * multiple;
}
