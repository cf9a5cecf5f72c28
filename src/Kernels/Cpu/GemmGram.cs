using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// h += x^T x with an fp64 master. The products of one block of rows are summed in fp32 in registers; only tiles on or
/// below the diagonal are computed. A task owns a few rows of h and takes the blocks in order, so the sum is the same
/// for any number of threads.
/// </summary>
internal sealed unsafe class GemmGram(GemmTiles<float> tiles, long rows, long columns, float* x, long ldx, double* h, long ldh)
{
    /// <summary>Rows of x whose products are summed in fp32.</summary>
    public const long BlockRows = 256;

    private const long PackedBytes = 1 << 22; // blocks packed at once: they stay in the L3 cache

    private readonly long panels = (columns + tiles.Columns - 1) / tiles.Columns;
    private readonly int cuts = (tiles.Columns + tiles.Rows - 1) / tiles.Rows; // tiles under each other in one panel
    private float* packed;
    private long start, blocks;

    public void Run(Team team)
    {
        long together = Math.Max(1, PackedBytes / (BlockRows * panels * tiles.Columns * sizeof(float)));
        packed = GemmScratch.Current.B<float>(Math.Min(together * BlockRows, rows) * panels * tiles.Columns);
        for (start = 0; start < rows; start += together * BlockRows)
        {
            blocks = Math.Min(together, (rows - start + BlockRows - 1) / BlockRows);
            team.For(blocks * panels, Pack);
            team.For(panels * cuts, task => Accumulate(panels * cuts - 1 - task)); // the longest rows first
        }

        team.ForRanges(columns, 64, Mirror);
    }

    private long Depth(long block) => Math.Min(BlockRows, rows - start - block * BlockRows);

    private float* Panel(long block, long panel) => packed + (block * BlockRows * panels + panel * Depth(block)) * tiles.Columns;

    private void Pack(long task)
    {
        long block = task / panels, panel = task % panels, j = panel * tiles.Columns;
        int width = (int)Math.Min(tiles.Columns, columns - j);
        GemmPacking.Rows(Panel(block, panel), tiles.Columns, width, x + (start + block * BlockRows) * ldx + j, ldx, Depth(block));
    }

    /// <summary>A tile's rows are columns of x that lie in one panel, so the packed panel serves as a and as b.</summary>
    private void Accumulate(long task)
    {
        long panel = task / cuts, cut = task % cuts, first = panel * tiles.Columns;
        long width = Math.Min(tiles.Columns, columns - first);
        long i = first + cut * width / cuts;
        int height = (int)(first + (cut + 1) * width / cuts - i);
        float* sums = stackalloc float[14 * 32];
        for (long block = 0; block < blocks && height > 0; block++)
        {
            float* a = Panel(block, panel) + (i - first);
            for (long j = 0; j <= panel; j++)
            {
                tiles.Run(height, 2, Depth(block), a, tiles.Columns, Panel(block, j), tiles.Columns, 1, 0, sums, tiles.Columns);
                AddLower(sums, i, height, j * tiles.Columns);
            }
        }
    }

    /// <summary>Adds the part of a tile that lies on or below the diagonal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddLower(float* sums, long i, int height, long j)
    {
        for (int r = 0; r < height; r++)
        {
            double* to = h + (i + r) * ldh + j;
            float* from = sums + r * tiles.Columns;
            int count = (int)Math.Clamp(i + r + 1 - j, 0, tiles.Columns);
            int c = 0;
            for (; c <= count - 8; c += 8)
            {
                (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Load(from + c));
                (Vector256.Load(to + c) + low).Store(to + c);
                (Vector256.Load(to + c + 4) + high).Store(to + c + 4);
            }

            for (; c < count; c++)
            {
                to[c] += from[c];
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
