using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// c = alpha a b^T + beta c for a few rows of a (decoding: y = x W^T): every row of b is read once, where it lies, and
/// multiplied with all rows of a, so that memory bandwidth is the limit. b is of type T, or bfloat16 with the same bits as
/// if it had been widened before.
/// </summary>
internal static unsafe class GemmDots
{
    /// <summary>Rows of a up to which this beats packing b.</summary>
    public const int MaxRows = 8;

    /// <summary>Fewer bytes of b than this are read before a second thread has taken its share.</summary>
    private const long MinSharedBytes = 1 << 16;

    private const long SmallestTaskBytes = 1 << 14, LargestTaskBytes = 1 << 17, TasksOfSmallMatrices = 8;

    /// <summary>How far ahead of its use b is asked for: rows are too short for the hardware to see where they lead. Measured: 2 to 8 KiB
    /// are alike, and a whole number of rows is no better.</summary>
    private const int PrefetchBytes = 4096;

    public static void Run<T, W>(GemmTiles<T> tiles, Team? team, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
    {
        if (team is null || n * k * sizeof(W) < MinSharedBytes)
        {
            Rows(tiles.Isa, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
            return;
        }

        Share(tiles.Isa, team, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }

    /// <summary>A method of its own, because its closure is allocated where it begins.</summary>
    private static void Share<T, W>(Isa isa, Team team, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
    {
        long taskBytes = Math.Clamp(n * k * sizeof(W) / TasksOfSmallMatrices, SmallestTaskBytes, LargestTaskBytes);
        long rows = Math.Max(4, taskBytes / (k * sizeof(W)) & ~3);
        team.ForRanges(n, rows, (from, to) => Rows(isa, m, to - from, k, alpha, a, lda, b + from * ldb, ldb, beta, c + from, ldc));
    }

    private static void Rows<T, W>(Isa isa, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
    {
        switch (isa)
        {
            case Isa.Vector512:
                Rows<T, W, Vector512<T>, Simd512<T>>(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                break;
            case Isa.Vector256:
                Rows<T, W, Vector256<T>, Simd256<T>>(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                break;
            default:
                Rows<T, W, Vector128<T>, Simd128<T>>(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                break;
        }
    }

    private static void Rows<T, W, V, S>(long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
        where V : struct
        where S : ISimd<T, V>
    {
        for (long j = 0; j < n; j += 4)
        {
            int columns = (int)Math.Min(4, n - j);
            for (long i = 0; i < m; i += 2)
            {
                if (i + 1 < m)
                {
                    Block<T, W, V, S, N2>(columns, k, alpha, a + i * lda, lda, b + j * ldb, ldb, beta, c + i * ldc + j, ldc);
                }
                else
                {
                    Block<T, W, V, S, N1>(columns, k, alpha, a + i * lda, lda, b + j * ldb, ldb, beta, c + i * ldc + j, ldc);
                }
            }
        }
    }

    /// <summary>One or two rows of a times up to four rows of b. Every product sums in the same order, whatever its neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block<T, W, V, S, R>(int columns, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
        where V : struct
        where S : ISimd<T, V>
        where R : unmanaged
    {
        bool two = sizeof(R) > 1;
        W* b1 = b + Math.Min(1, columns - 1) * ldb;
        W* b2 = b + Math.Min(2, columns - 1) * ldb;
        W* b3 = b + Math.Min(3, columns - 1) * ldb;
        T* a1 = two ? a + lda : a;
        V zero = S.Broadcast(T.Zero);
        V c00 = zero, c01 = zero, c02 = zero, c03 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero;
        long p = 0;
        for (; p <= k - S.Count; p += S.Count)
        {
            V x = S.Load(a + p);
            V y = two ? S.Load(a1 + p) : zero;
            Prefetch(b + p);
            V w = S.LoadWide(b + p);
            c00 = S.MultiplyAdd(x, w, c00);
            c10 = two ? S.MultiplyAdd(y, w, c10) : c10;
            Prefetch(b1 + p);
            w = S.LoadWide(b1 + p);
            c01 = S.MultiplyAdd(x, w, c01);
            c11 = two ? S.MultiplyAdd(y, w, c11) : c11;
            Prefetch(b2 + p);
            w = S.LoadWide(b2 + p);
            c02 = S.MultiplyAdd(x, w, c02);
            c12 = two ? S.MultiplyAdd(y, w, c12) : c12;
            Prefetch(b3 + p);
            w = S.LoadWide(b3 + p);
            c03 = S.MultiplyAdd(x, w, c03);
            c13 = two ? S.MultiplyAdd(y, w, c13) : c13;
        }

        T* sums = stackalloc T[8];
        VectorMath.Sums(sums, S.Fold(c00), S.Fold(c01), S.Fold(c02), S.Fold(c03));
        if (two)
        {
            VectorMath.Sums(sums + 4, S.Fold(c10), S.Fold(c11), S.Fold(c12), S.Fold(c13));
        }

        for (; p < k; p++)
        {
            for (int j = 0; j < columns; j++)
            {
                T w = Bfloat16.Widen<T, W>(b[j * ldb + p]);
                sums[j] += a[p] * w;
                sums[4 + j] += a1[p] * w;
            }
        }

        for (int i = 0; i < sizeof(R); i++)
        {
            if (columns == 4 && Vector128<T>.Count == 4)
            {
                Vector128<T> all = Vector128.Load(sums + 4 * i) * alpha;
                (beta == T.Zero ? all : all + Vector128.Load(c + i * ldc) * beta).Store(c + i * ldc);
                continue;
            }

            for (int j = 0; j < columns; j++)
            {
                T* to = c + i * ldc + j;
                T x = alpha * sums[4 * i + j];
                *to = beta == T.Zero ? x : x + beta * *to;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<W>(W* b) where W : unmanaged
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0((byte*)b + PrefetchBytes);
        }
    }
}
