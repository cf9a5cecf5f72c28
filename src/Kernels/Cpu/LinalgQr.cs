namespace NativeEngine.Kernels.Cpu;

/// <summary>Blocked Householder QR with LAPACK's signs, on the transposed matrix: there the columns are contiguous.</summary>
internal static unsafe class LinalgQr
{
    private const int BlockRows = 32;
    private const long ChunkRows = 64;

    /// <summary>q (n,n) of a = q r; a (n,n) is left as r^T. work holds <see cref="WorkSize"/> elements.</summary>
    public static void Run(Team team, long n, double* q, long ldq, double* a, long lda, double* work)
    {
        double* v = work, triangle = v + BlockRows * n, products = triangle + BlockRows * BlockRows;
        TransposeInPlace(n, a, lda);
        for (long i = 0; i < n; i++)
        {
            LinalgVectors.Clear(n, q + i * ldq);
            q[i * ldq + i] = 1;
        }

        for (long first = 0; first < n; first += BlockRows)
        {
            int count = (int)Math.Min(BlockRows, n - first);
            long width = n - first;
            FactorPanel(count, width, a + first * lda + first, lda, v, triangle);
            void Apply(double* z, long ldz, long from, long to) =>
                LinalgHouseholder.Apply(to - from, width, z + from * ldz + first, ldz, count, v, width, triangle, products + from * 2 * BlockRows);

            long below = first + count;
            team.ForRanges(n - below, ChunkRows, (from, to) => Apply(a, lda, below + from, below + to));
            team.ForRanges(n, ChunkRows, (from, to) => Apply(q, ldq, from, to));
        }
    }

    /// <summary>Elements of work memory.</summary>
    public static long WorkSize(long n) => 3 * BlockRows * n + BlockRows * BlockRows;

    /// <summary>Reduces count rows of the transposed matrix, from its diagonal on; v (count,width) gets the reflectors, zeros and ones in place.</summary>
    private static void FactorPanel(int count, long width, double* a, long lda, double* v, double* triangle)
    {
        double* tau = stackalloc double[BlockRows];
        for (int i = 0; i < count; i++)
        {
            double* row = a + i * lda + i;
            double* reflector = v + i * width;
            long length = width - i;
            tau[i] = LinalgHouseholder.Reflect(length - 1, ref row[0], row + 1);
            LinalgVectors.Clear(i, reflector);
            reflector[i] = 1;
            LinalgVectors.Copy(length - 1, row + 1, reflector + i + 1);
            LinalgVectors.Clear(length - 1, row + 1);
            for (int below = i + 1; below < count; below++)
            {
                double* other = a + below * lda + i;
                LinalgVectors.AddScaled(length, -tau[i] * LinalgVectors.Dot(length, other, reflector + i), reflector + i, other);
            }
        }

        LinalgHouseholder.Triangle(count, width, v, width, tau, triangle);
    }

    private static void TransposeInPlace(long n, double* a, long lda)
    {
        for (long i = 0; i < n; i++)
        {
            for (long j = 0; j < i; j++)
            {
                (a[i * lda + j], a[j * lda + i]) = (a[j * lda + i], a[i * lda + j]);
            }
        }
    }
}
