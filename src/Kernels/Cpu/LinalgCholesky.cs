namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Blocked Cholesky factorisation a = L L^T and solutions by it. The blocks on the diagonal of L are inverted, so that everything else is products.
/// </summary>
internal static unsafe class LinalgCholesky
{
    private const int BlockRows = 64;
    private const long ChunkRows = 128;

    /// <summary>
    /// The lower triangle of a (n,n) becomes L, and b (m,n) becomes b a^-1: every row is a right-hand side. work holds <see cref="WorkSize"/> elements.
    /// Returns the order of the first minor that is not positive, which leaves b as it is, or 0.
    /// </summary>
    public static long Solve(Team team, long m, long n, double* b, long ldb, double* a, long lda, double* work)
    {
        double* inverses = work, products = work + BlockRows * n;
        long minor = Factor(team, n, a, lda, inverses, products);
        if (minor == 0)
        {
            team.ForRanges(m, ChunkRows, (from, to) => Substitute(to - from, n, b + from * ldb, ldb, a, lda, inverses, products + from * BlockRows));
        }

        return minor;
    }

    /// <summary>Elements of work memory.</summary>
    public static long WorkSize(long m, long n) => BlockRows * (n + Math.Max(m, n));

    private static long Factor(Team team, long n, double* a, long lda, double* inverses, double* products)
    {
        for (long first = 0; first < n; first += BlockRows)
        {
            int count = (int)Math.Min(BlockRows, n - first);
            double* diagonal = a + first * lda + first, inverse = inverses + first * BlockRows;
            int minor = FactorBlock(count, diagonal, lda);
            if (minor > 0)
            {
                return first + minor;
            }

            Invert(count, diagonal, lda, inverse);
            double* panel = a + (first + count) * lda + first, trailing = panel + count;
            team.ForRanges(n - first - count, ChunkRows, (from, to) => MultiplyInPlace(to - from, count, panel + from * lda, lda, inverse, true, products + from * BlockRows));
            team.ForRanges(n - first - count, ChunkRows, (from, to) =>
                GemmKernels.Run(to - from, to, count, -1.0, panel + from * lda, lda, false, panel, lda, true, 1.0, trailing + from * lda, lda));
        }

        return 0;
    }

    private static int FactorBlock(int count, double* a, long lda)
    {
        for (int i = 0; i < count; i++)
        {
            double* row = a + i * lda;
            for (int j = 0; j < i; j++)
            {
                row[j] = (row[j] - LinalgVectors.Dot(j, row, a + j * lda)) / a[j * lda + j];
            }

            double square = row[i] - LinalgVectors.Dot(i, row, row);
            if (!(square > 0 && double.IsFinite(square)))
            {
                return i + 1;
            }

            row[i] = Math.Sqrt(square);
        }

        return 0;
    }

    /// <summary>inverse (count,count) of the lower triangle of l, zeros above it.</summary>
    private static void Invert(int count, double* l, long ldl, double* inverse)
    {
        LinalgVectors.Clear((long)count * count, inverse);
        for (int i = 0; i < count; i++)
        {
            double* row = inverse + i * count;
            for (int j = 0; j < i; j++)
            {
                LinalgVectors.AddScaled(j + 1, -l[i * ldl + j], inverse + j * count, row);
            }

            row[i] = 1;
            LinalgVectors.Scale(i + 1, 1 / l[i * ldl + i], row);
        }
    }

    /// <summary>b = b L^-T L^-1, block by block: forwards, then backwards.</summary>
    private static void Substitute(long rows, long n, double* b, long ldb, double* a, long lda, double* inverses, double* product)
    {
        for (long first = 0; first < n; first += BlockRows)
        {
            int count = (int)Math.Min(BlockRows, n - first);
            GemmKernels.Run(rows, count, first, -1.0, b, ldb, false, a + first * lda, lda, true, 1.0, b + first, ldb);
            MultiplyInPlace(rows, count, b + first, ldb, inverses + first * BlockRows, true, product);
        }

        for (long first = (n - 1) / BlockRows * BlockRows; first >= 0; first -= BlockRows)
        {
            int count = (int)Math.Min(BlockRows, n - first);
            long behind = first + count;
            GemmKernels.Run(rows, count, n - behind, -1.0, b + behind, ldb, false, a + behind * lda + first, lda, false, 1.0, b + first, ldb);
            MultiplyInPlace(rows, count, b + first, ldb, inverses + first * BlockRows, false, product);
        }
    }

    /// <summary>x = x op(y) for x (rows,count) and y (count,count).</summary>
    private static void MultiplyInPlace(long rows, int count, double* x, long ldx, double* y, bool transpose, double* product)
    {
        GemmKernels.Run(rows, count, count, 1.0, x, ldx, false, y, count, transpose, 0.0, product, count);
        for (long i = 0; i < rows; i++)
        {
            LinalgVectors.Copy(count, product + i * count, x + i * ldx);
        }
    }
}
