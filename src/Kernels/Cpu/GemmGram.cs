using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// h += x^T x, x widened to fp64 while it is packed: fp32 products summed over short blocks would shift a slice by more than the
/// reference's own rounding. Only tiles on or below the diagonal are computed. A task owns a few rows of h and takes the blocks
/// in order, so the sum is the same for any number of threads.
/// </summary>
internal sealed unsafe class GemmGram(GemmTiles<double> tiles, long rows, long columns, float* x, long ldx, double* h, long ldh)
{
    private const long BlockRows = 384; // a panel stays in the L1 cache
    private const long PackedBytes = 1 << 22; // blocks packed at once: they stay in the L3 cache

    private readonly long panels = (columns + tiles.Columns - 1) / tiles.Columns;
    private readonly int cuts = (tiles.Columns + tiles.Rows - 1) / tiles.Rows; // tiles under each other in one panel
    private double* packed;
    private long start, blocks;

    public void Run(Team team)
    {
        long together = Math.Max(1, PackedBytes / (BlockRows * panels * tiles.Columns * sizeof(double)));
        packed = GemmScratch.Current.B<double>(Math.Min(together * BlockRows, rows) * panels * tiles.Columns);
        for (start = 0; start < rows; start += together * BlockRows)
        {
            blocks = Math.Min(together, (rows - start + BlockRows - 1) / BlockRows);
            team.For(blocks * panels, Pack);
            team.For(panels * cuts, task => Accumulate(panels * cuts - 1 - task)); // the longest rows first
        }

        team.ForRanges(columns, 64, Mirror);
    }

    private long Depth(long block) => Math.Min(BlockRows, rows - start - block * BlockRows);

    private double* Panel(long block, long panel) => packed + (block * BlockRows * panels + panel * Depth(block)) * tiles.Columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(long task)
    {
        long block = task / panels, panel = task % panels, j = panel * tiles.Columns, depth = Depth(block);
        int width = (int)Math.Min(tiles.Columns, columns - j);
        double* to = Panel(block, panel);
        float* from = x + (start + block * BlockRows) * ldx + j;
        for (long p = 0; p < depth; p++, to += tiles.Columns, from += ldx)
        {
            int c = 0;
            for (; c <= width - 8; c += 8)
            {
                (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Load(from + c));
                low.Store(to + c);
                high.Store(to + c + 4);
            }

            for (; c < width; c++)
            {
                to[c] = from[c];
            }
        }
    }

    /// <summary>A tile's rows are columns of x that lie in one panel, so the packed panel serves as a and as b.</summary>
    private void Accumulate(long task)
    {
        long panel = task / cuts, cut = task % cuts, first = panel * tiles.Columns;
        long width = Math.Min(tiles.Columns, columns - first);
        long i = first + cut * width / cuts;
        int height = (int)(first + (cut + 1) * width / cuts - i);
        double* sums = stackalloc double[14 * 16];
        for (long block = 0; block < blocks && height > 0; block++)
        {
            double* a = Panel(block, panel) + (i - first);
            for (long j = 0; j < panel; j++)
            {
                tiles.Run(height, 2, Depth(block), a, tiles.Columns, Panel(block, j), tiles.Columns, 1, 1, h + i * ldh + j * tiles.Columns, ldh);
            }

            tiles.Run(height, 2, Depth(block), a, tiles.Columns, Panel(block, panel), tiles.Columns, 1, 0, sums, tiles.Columns);
            AddLower(sums, i, height, first);
        }
    }

    /// <summary>Adds the part of a diagonal tile that lies on or below the diagonal.</summary>
    private void AddLower(double* sums, long i, int height, long j)
    {
        for (int r = 0; r < height; r++)
        {
            for (long c = 0; c <= i + r - j; c++)
            {
                h[(i + r) * ldh + j + c] += sums[r * tiles.Columns + c];
            }
        }
    }

    private void Mirror(long from, long to)
    {
        for (long i = from; i < to; i++)
        {
            for (long j = 0; j < i; j++)
            {
                h[j * ldh + i] = h[i * ldh + j];
            }
        }
    }
}
