namespace NativeEngine.Kernels.Cpu;

/// <summary>Eigendecomposition of a symmetric matrix: tridiagonal form, divide and conquer, back-transformation.</summary>
internal static unsafe class LinalgSymEig
{
    private const int BlockRows = 64;  // reflectors applied together
    private const long ChunkRows = 96; // eigenvectors that one task transforms

    /// <summary>
    /// a (n,n), of which the lower triangle is read, is destroyed; values ascend; row i of vectors is eigenvector i.
    /// vectors may be a. work holds <see cref="WorkSize"/> elements.
    /// </summary>
    public static void Run(Team team, long n, double* values, double* vectors, long ldv, double* a, long lda, double* work)
    {
        double scale = Largest(n, a, lda);
        if (!double.IsFinite(scale))
        {
            throw new EngineException("NE10101", $"SymEig: the matrix ({n}, {n}) holds NaN or infinity")
            {
                Hint = "the model overflows on this text: check its weights with eval perplexity",
            };
        }

        double* z = work, s = z + n * n, copies = s + n * n, reduction = copies + n * n;
        double* d = reduction + LinalgTridiagonal.WorkSize(n), e = d + n, tau = e + n, reflectors = tau + n;
        ScaleLower(n, a, lda, scale);
        LinalgVectors.Clear(3 * n, d);
        new LinalgTridiagonal(team, n, a, lda, d, e, tau).Run(reduction);
        var tridiagonal = new LinalgDivideConquer(team, n, d, e, z, s, copies);
        tridiagonal.Run();

        for (int i = 0; i < n; i++)
        {
            long row = tridiagonal.Order[i];
            values[i] = d[row] * scale;
            LinalgVectors.Copy(n, z + row * n, s + i * n);
        }

        BackTransform(team, n, s, a, lda, tau, reflectors);
        for (long i = 0; i < n; i++)
        {
            LinalgVectors.Copy(n, s + i * n, vectors + i * ldv);
        }
    }

    /// <summary>Elements of work memory.</summary>
    public static long WorkSize(long n) => 3 * n * n + LinalgTridiagonal.WorkSize(n) + 3 * n + BackTransformSize(n);

    private static long BackTransformSize(long n) => (n + BlockRows) * BlockRows + 2 * n * BlockRows;

    /// <summary>Row vectors of the tridiagonal matrix become those of the full one: s = s H_1 H_2 .. H_{n-1}.</summary>
    private static void BackTransform(Team team, long n, double* s, double* a, long lda, double* tau, double* work)
    {
        long blocks = (n + BlockRows - 1) / BlockRows;
        double* triangles = work, products = work + blocks * BlockRows * BlockRows;
        team.For(blocks, block =>
        {
            long first = block * BlockRows, end = Math.Min(first + BlockRows, n);
            LinalgHouseholder.Triangle((int)(end - first), end, a + first * lda, lda, tau + first, triangles + first * BlockRows);
        });
        team.ForRanges(n, ChunkRows, (from, to) =>
        {
            for (long first = 0; first < n; first += BlockRows)
            {
                long end = Math.Min(first + BlockRows, n);
                LinalgHouseholder.Apply(
                    to - from, end, s + from * n, n, (int)(end - first), a + first * lda, lda, triangles + first * BlockRows, products + from * 2 * BlockRows);
            }
        });
    }

    private static double Largest(long n, double* a, long lda)
    {
        double largest = 0;
        for (long i = 0; i < n; i++)
        {
            for (long j = 0; j <= i; j++)
            {
                double x = Math.Abs(a[i * lda + j]);
                largest = x > largest || double.IsNaN(x) ? x : largest;
            }
        }

        return largest;
    }

    /// <summary>Divides by the largest element, so that no norm over- or underflows; exact when it is a power of two.</summary>
    private static void ScaleLower(long n, double* a, long lda, double largest)
    {
        if (largest == 0)
        {
            return;
        }

        for (long i = 0; i < n; i++)
        {
            for (long j = 0; j <= i; j++)
            {
                a[i * lda + j] /= largest;
            }
        }
    }
}
