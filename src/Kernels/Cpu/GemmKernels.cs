using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Matrix products on raw row-major memory. The inner dimension is never split between threads and its blocks depend on
/// the shape alone, so the bits of a result do not depend on the number of threads.
/// </summary>
internal static unsafe class GemmKernels
{
    /// <summary>Products with fewer multiply-adds than this are done before a second thread has woken up.</summary>
    private const double MinParallelWork = 1 << 19;

    /// <summary>
    /// c = alpha op(a) op(b) + beta c on the calling thread: no locks, its own scratch memory, so it may run inside other
    /// ops' parallel loops. c is (m,n), op(a) is (m,k), op(b) is (k,n); a leading dimension is the distance between rows
    /// as stored. c is not read when beta is 0, and must not overlap a or b.
    /// </summary>
    public static void Run<T>(long m, long n, long k, T alpha, T* a, long lda, bool transA, T* b, long ldb, bool transB, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T> =>
        Run(GemmTiles<T>.Best, null, m, n, k, alpha, a, lda, transA, b, ldb, transB, beta, c, ldc);

    /// <summary>The same with given micro-kernels, spread over <paramref name="team"/> where that pays; b may hold bfloat16 (ushort) where the rest is F32.</summary>
    public static void Run<T, TStored>(
        GemmTiles<T> tiles, Team? team, long m, long n, long k, T alpha, T* a, long lda, bool transA, TStored* b, long ldb, bool transB, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where TStored : unmanaged
    {
        if (m == 0 || n == 0)
        {
            return;
        }

        if (k == 0)
        {
            Scale(m, n, beta, c, ldc);
            return;
        }

        if (team is { Threads: 1 })
        {
            team = null;
        }

        if (m <= GemmDots.MaxRows && !transA && transB)
        {
            GemmDots.Run(tiles, team, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
            return;
        }

        if (m <= GemmRows.MaxRows && !transA && !transB && n * k >= GemmRows.MinElements)
        {
            GemmRows.Run(tiles, n * k < GemmRows.MinSharedElements ? null : team, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
            return;
        }

        if ((double)m * n * k < MinParallelWork)
        {
            team = null;
        }

        var product = new PackedProduct<T, TStored>(tiles, m, n, k, alpha, a, lda, transA, b, ldb, transB, beta, c, ldc);
        product.Run(team);
    }

    private static void Scale<T>(long m, long n, T beta, T* c, long ldc) where T : unmanaged, INumber<T>
    {
        for (long i = 0; i < m; i++)
        {
            for (long j = 0; j < n; j++)
            {
                c[i * ldc + j] = beta == T.Zero ? T.Zero : beta * c[i * ldc + j];
            }
        }
    }
}
