using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// One product by blocks (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"): a block of b is
/// packed once and shared, every task packs its own few row panels of a and sweeps them over the panels of b. What b stores
/// is T, or bfloat16 (ushort) that packing widens.
/// </summary>
internal unsafe struct PackedProduct<T, TStored>
    where T : unmanaged, INumber<T>
    where TStored : unmanaged
{
    private const int PanelsPerTask = 6;      // row panels of a: they stay in the L2 cache together with one panel of b
    private const long BlockColumns = 2048;   // columns of b packed at once: they stay in the L3 cache
    private const long DirectExtent = 64;     // an operand that is swept over less than this is not worth packing
    private const long PackTaskElements = 1 << 15;

    private readonly GemmTiles<T> tiles;
    private readonly long m, n, k, lda, ldb, ldc;
    private readonly T* a, c;
    private readonly TStored* b;
    private readonly T alpha, beta;
    private readonly bool transA, transB, directA, directB;
    private readonly long rowPanels, rowTasks;

    // The block at work: columns column .. column + width, inner indices start .. start + depth.
    private long column, width, start, depth, columnTasks;
    private T* packedB;

    public PackedProduct(GemmTiles<T> tiles, long m, long n, long k, T alpha, T* a, long lda, bool transA, TStored* b, long ldb, bool transB, T beta, T* c, long ldc)
    {
        (this.tiles, this.m, this.n, this.k, this.alpha, this.beta) = (tiles, m, n, k, alpha, beta);
        (this.lda, this.transA, this.ldb, this.transB, this.ldc) = (lda, transA, ldb, transB, ldc);
        this.a = a;
        this.b = b;
        this.c = c;
        directA = transA && n <= DirectExtent;
        directB = !transB && m <= DirectExtent && typeof(TStored) == typeof(T);
        rowPanels = (m + tiles.Rows - 1) / tiles.Rows;
        rowTasks = (rowPanels + PanelsPerTask - 1) / PanelsPerTask;
    }

    public void Run(Team? team)
    {
        long passes = (k + tiles.Depth - 1) / tiles.Depth;
        for (column = 0; column < n; column += BlockColumns)
        {
            width = Math.Min(BlockColumns, n - column);
            long panels = (width + tiles.Columns - 1) / tiles.Columns;
            columnTasks = team is null ? 1 : Math.Clamp(4 * team.Threads / rowTasks, 1, panels);
            for (long pass = 0; pass < passes; pass++)
            {
                start = k * pass / passes;
                depth = k * (pass + 1) / passes - start;
                packedB = GemmScratch.Current.B<T>(panels * tiles.Columns * depth);
                if (team is null)
                {
                    PackB(0, panels);
                    for (long task = 0; task < rowTasks; task++)
                    {
                        Multiply(task);
                    }
                }
                else
                {
                    Share(this, team, panels);
                }
            }
        }
    }

    /// <summary>A method of its own, because its closures are allocated where it begins.</summary>
    private static void Share(PackedProduct<T, TStored> block, Team team, long panels)
    {
        team.ForRanges(panels, Math.Max(1, PackTaskElements / (block.tiles.Columns * block.depth)), block.PackB);
        team.For(block.rowTasks * block.columnTasks, block.Multiply);
    }

    private readonly long PanelRow(long panel) => panel * m / rowPanels;

    private readonly void PackB(long from, long to)
    {
        for (long panel = from; panel < to; panel++)
        {
            long j = column + panel * tiles.Columns;
            int columns = (int)Math.Min(tiles.Columns, column + width - j);
            T* packed = packedB + panel * tiles.Columns * depth;
            if (transB)
            {
                GemmPacking.Columns(packed, tiles.Columns, columns, b + j * ldb + start, ldb, depth);
            }
            else if (!directB || columns % tiles.Vector != 0)
            {
                GemmPacking.Rows(packed, tiles.Columns, columns, b + start * ldb + j, ldb, depth);
            }
        }
    }

    /// <summary>A few row panels times a range of the packed columns.</summary>
    private readonly void Multiply(long task)
    {
        long rowTask = task / columnTasks, columnTask = task % columnTasks;
        long firstRow = rowTask * PanelsPerTask, lastRow = Math.Min(firstRow + PanelsPerTask, rowPanels);
        long panels = (width + tiles.Columns - 1) / tiles.Columns;
        long firstColumn = panels * columnTask / columnTasks, lastColumn = panels * (columnTask + 1) / columnTasks;

        T* packedA = directA ? null : GemmScratch.Current.A<T>(PanelsPerTask * tiles.PanelA * depth);
        for (long panel = firstRow; panel < lastRow && !directA; panel++)
        {
            PackA(packedA + (panel - firstRow) * tiles.PanelA * depth, panel);
        }

        T scale = start == 0 ? beta : T.One;
        for (long jPanel = firstColumn; jPanel < lastColumn; jPanel++)
        {
            long j = column + jPanel * tiles.Columns;
            int columns = (int)Math.Min(tiles.Columns, column + width - j);
            bool direct = directB && columns % tiles.Vector == 0;
            T* panelB = direct ? (T*)b + start * ldb + j : packedB + jPanel * tiles.Columns * depth;
            long stepB = direct ? ldb : tiles.Columns;
            for (long panel = firstRow; panel < lastRow; panel++)
            {
                long i = PanelRow(panel);
                int rows = (int)(PanelRow(panel + 1) - i);
                T* panelA = directA ? a + start * lda + i : packedA + (panel - firstRow) * tiles.PanelA * depth;
                Tile(rows, columns, panelA, directA ? lda : tiles.PanelA, panelB, stepB, scale, c + i * ldc + j);
            }
        }
    }

    private readonly void PackA(T* packed, long panel)
    {
        long i = PanelRow(panel);
        int rows = (int)(PanelRow(panel + 1) - i);
        if (transA)
        {
            GemmPacking.Rows(packed, tiles.PanelA, rows, a + start * lda + i, lda, depth);
        }
        else
        {
            GemmPacking.Columns(packed, tiles.PanelA, rows, a + i * lda + start, lda, depth);
        }
    }

    private readonly void Tile(int rows, int columns, T* panelA, long stepA, T* panelB, long stepB, T scale, T* tile)
    {
        int vectors = (columns + tiles.Vector - 1) / tiles.Vector;
        if (columns == vectors * tiles.Vector)
        {
            tiles.Run(rows, vectors, depth, panelA, stepA, panelB, stepB, alpha, scale, tile, ldc);
            return;
        }

        // The last columns: a whole tile on the stack, of which a part is kept.
        T* whole = stackalloc T[14 * 32];
        tiles.Run(rows, vectors, depth, panelA, stepA, panelB, stepB, alpha, T.Zero, whole, tiles.Columns);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                T* to = tile + i * ldc + j;
                T x = whole[i * tiles.Columns + j];
                *to = scale == T.Zero ? x : x + scale * *to;
            }
        }
    }
}
