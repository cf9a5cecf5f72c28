namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Eigenvalues and vectors of a symmetric tridiagonal matrix by divide and conquer (Cuppen; Gu and Eisenstat; LAPACK's
/// dstedc): small blocks by QL, then pairs of neighbours are merged, level by level, almost all of it in matrix products.
/// Row i of z is eigenvector i; <see cref="Order"/> sorts them.
/// </summary>
internal sealed unsafe class LinalgDivideConquer
{
    private const long LeafRows = 32;
    private const long InnerParallelRows = 300; // smaller merges run side by side, larger ones use the team inside

    private readonly Team team;
    private readonly long n;
    private readonly double* d, e, z, vectors, copies;
    private readonly long[] order;

    /// <summary>d (n) and e (n), the last element unused, are destroyed: d becomes the eigenvalues. z, vectors and copies are (n,n); z is cleared here.</summary>
    public LinalgDivideConquer(Team team, long n, double* d, double* e, double* z, double* vectors, double* copies)
    {
        (this.team, this.n, order) = (team, n, new long[n]);
        this.d = d;
        this.e = e;
        this.z = z;
        this.vectors = vectors;
        this.copies = copies;
    }

    /// <summary>order[i] is the row of the i-th smallest eigenvalue.</summary>
    public ReadOnlySpan<long> Order => order;

    public void Run()
    {
        int levels = 0;
        while (n >> levels > LeafRows)
        {
            levels++;
        }

        long leaves = 1L << levels;
        for (long leaf = 1; leaf < leaves; leaf++)
        {
            long cut = Start(leaf, leaves);
            double coupling = Math.Abs(e[cut - 1]);
            d[cut - 1] -= coupling;
            d[cut] -= coupling;
        }

        team.For(leaves, leaf => SolveLeaf(Start(leaf, leaves), Start(leaf + 1, leaves)));
        for (long blocks = leaves / 2; blocks >= 1; blocks /= 2)
        {
            void MergeBlock(long block) => Merge(Start(2 * block, 2 * blocks), Start(2 * block + 1, 2 * blocks), Start(2 * block + 2, 2 * blocks));
            if (n / blocks < InnerParallelRows)
            {
                team.For(blocks, MergeBlock);
                continue;
            }

            for (long block = 0; block < blocks; block++)
            {
                MergeBlock(block);
            }
        }
    }

    private long Start(long block, long blocks) => block * n / blocks;

    private void SolveLeaf(long from, long to)
    {
        long size = to - from;
        double* off = stackalloc double[(int)size];
        LinalgVectors.Copy(size - 1, e + from, off);
        for (long i = from; i < to; i++)
        {
            LinalgVectors.Clear(n, z + i * n);
            z[i * n + i] = 1;
        }

        LinalgQl.Run(size, d + from, off, z + from * n + from, n);
        Sort(from, to);
    }

    private void Sort(long from, long to)
    {
        Span<long> rows = order.AsSpan((int)from, (int)(to - from));
        Span<double> keys = new double[to - from];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = from + i;
            keys[i] = d[from + i];
        }

        keys.Sort(rows);
    }

    private void Merge(long from, long middle, long to)
    {
        long size = to - from, sizeLeft = middle - from, sizeRight = to - middle;
        double* u = stackalloc double[(int)Math.Min(size, 512)];
        double[]? large = size > 512 ? new double[size] : null;
        fixed (double* heap = large)
        {
            Merge(from, middle, size, sizeLeft, sizeRight, heap == null ? u : heap);
        }
    }

    private void Merge(long from, long middle, long size, long sizeLeft, long sizeRight, double* u)
    {
        // T = diag(T1, T2) + rho u u^T in the basis of the two blocks' eigenvectors, |u| = 1.
        double coupling = e[middle - 1], sign = Math.CopySign(Math.Sqrt(0.5), coupling);
        for (long i = 0; i < size; i++)
        {
            u[i] = i < sizeLeft ? Math.Sqrt(0.5) * z[(from + i) * n + middle - 1] : sign * z[(from + i) * n + middle];
        }

        var deflation = new LinalgDeflation(from, size, sizeLeft, d, u, 2 * Math.Abs(coupling), z, n);
        deflation.Run(order.AsSpan((int)from, (int)sizeLeft), order.AsSpan((int)middle, (int)sizeRight));
        if (deflation.Kept > 0)
        {
            MergeKept(deflation, from, middle, size, sizeLeft, sizeRight);
        }

        Sort(from, from + size);
    }

    private void MergeKept(LinalgDeflation deflation, long from, long middle, long size, long sizeLeft, long sizeRight)
    {
        long k = deflation.Kept, deflated = size - k;
        long left = deflation.Left + deflation.Mixed, right = deflation.Mixed + deflation.Right;
        double* s = vectors + from * n; // (k,k): eigenvectors of the secular problem
        double* copyLeft = copies + from * n;
        double* copyRight = copyLeft + left * sizeLeft;
        double[] deflatedValues = new double[deflated];

        // Rows of the old basis: first those in the left block, then the mixed ones, then the right block.
        team.ForRanges(k, 64, (first, end) =>
        {
            for (long i = first; i < end; i++)
            {
                double* row = z + deflation.Grouped[(int)i] * n;
                if (i < left)
                {
                    LinalgVectors.Copy(sizeLeft, row + from, copyLeft + i * sizeLeft);
                }

                if (i >= deflation.Left)
                {
                    LinalgVectors.Copy(sizeRight, row + middle, copyRight + (i - deflation.Left) * sizeRight);
                }
            }
        });

        // Deflated vectors go behind the new ones, as they are.
        double[] saved = new double[deflated * size];
        fixed (double* rows = saved, values = deflatedValues)
        {
            for (long i = 0; i < deflated; i++)
            {
                values[i] = d[deflation.Deflated[(int)i]];
                LinalgVectors.Copy(size, z + deflation.Deflated[(int)i] * n + from, rows + i * size);
            }

            for (long i = 0; i < deflated; i++)
            {
                LinalgVectors.Copy(size, rows + i * size, z + (from + k + i) * n + from);
                d[from + k + i] = values[i];
            }
        }

        deflation.Solve(team, d + from, s);
        GemmKernels.Run(GemmTiles<double>.Best, team, k, sizeLeft, left, 1, s, k, false, copyLeft, sizeLeft, false, 0, z + from * n + from, n);
        GemmKernels.Run(
            GemmTiles<double>.Best, team, k, sizeRight, right, 1, s + deflation.Left, k, false, copyRight, sizeRight, false, 0, z + from * n + middle, n);
    }
}
