using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Matrix products on raw row-major memory.</summary>
internal static unsafe class GemmKernels
{
    /// <summary>
    /// c = alpha op(a) op(b) + beta c on the calling thread: no locks, its own scratch memory, so it may run inside other
    /// ops' parallel loops. c is (m,n), op(a) is (m,k), op(b) is (k,n); a leading dimension is the distance between rows
    /// as stored. c is not read when beta is 0.
    /// </summary>
    public static void Run<T>(long m, long n, long k, T alpha, T* a, long lda, bool transA, T* b, long ldb, bool transB, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
    {
        for (long i = 0; i < m; i++)
        {
            for (long j = 0; j < n; j++)
            {
                T sum = T.Zero;
                for (long p = 0; p < k; p++)
                {
                    sum += (transA ? a[p * lda + i] : a[i * lda + p]) * (transB ? b[j * ldb + p] : b[p * ldb + j]);
                }

                c[i * ldc + j] = beta == T.Zero ? alpha * sum : alpha * sum + beta * c[i * ldc + j];
            }
        }
    }
}
