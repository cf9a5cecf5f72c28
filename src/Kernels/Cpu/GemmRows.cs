using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// c = alpha a b + beta c for one or two rows of a (the shortcuts of a sliced model while decoding): b, of type T or bfloat16,
/// is read where it lies, a strip of columns per task whose sums stay in registers.
/// </summary>
internal static unsafe class GemmRows
{
    /// <summary>Rows of a up to which this beats the packed product.</summary>
    public const int MaxRows = 2;

    /// <summary>Elements of b from which this beats the packed product.</summary>
    public const long MinElements = 1 << 14;

    /// <summary>Elements of b from which a second thread pays.</summary>
    public const long MinSharedElements = 1 << 15;

    private const int Vectors = 8;       // of one strip
    private const int PrefetchRows = 12; // the next piece of a strip lies a whole row further on

    public static void Run<T, W>(GemmTiles<T> tiles, Team? team, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
    {
        long width = Vectors * tiles.Vector;
        if (team is null)
        {
            Strips(tiles.Isa, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        }
        else
        {
            Share(tiles.Isa, width, team, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        }
    }

    /// <summary>A method of its own, because its closure is allocated where it begins.</summary>
    private static void Share<T, W>(
        Isa isa, long width, Team team, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged =>
        team.ForRanges(n, width, (from, to) => Strips(isa, m, to - from, k, alpha, a, lda, b + from, ldb, beta, c + from, ldc));

    private static void Strips<T, W>(Isa isa, long m, long n, long k, T alpha, T* a, long lda, W* b, long ldb, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where W : unmanaged
    {
        for (long i = 0; i < m; i++)
        {
            switch (isa)
            {
                case Isa.Vector512:
                    Row<T, W, Vector512<T>, Simd512<T>>(n, k, alpha, a + i * lda, b, ldb, beta, c + i * ldc);
                    break;
                case Isa.Vector256:
                    Row<T, W, Vector256<T>, Simd256<T>>(n, k, alpha, a + i * lda, b, ldb, beta, c + i * ldc);
                    break;
                default:
                    Row<T, W, Vector128<T>, Simd128<T>>(n, k, alpha, a + i * lda, b, ldb, beta, c + i * ldc);
                    break;
            }
        }
    }

    private static void Row<T, W, V, S>(long n, long k, T alpha, T* a, W* b, long ldb, T beta, T* c)
        where T : unmanaged, INumber<T>
        where W : unmanaged
        where V : struct
        where S : ISimd<T, V>
    {
        T* sums = stackalloc T[Vectors * S.Count];
        long j = 0;
        for (; j <= n - Vectors * S.Count; j += Vectors * S.Count)
        {
            Strip<T, W, V, S>(k, a, b + j, ldb, sums);
            Store(Vectors * S.Count, alpha, sums, beta, c + j);
        }

        for (; j <= n - S.Count; j += S.Count)
        {
            Column<T, W, V, S>(k, a, b + j, ldb, sums);
            Store(S.Count, alpha, sums, beta, c + j);
        }

        for (; j < n; j++)
        {
            T sum = T.Zero;
            for (long p = 0; p < k; p++)
            {
                sum += a[p] * Bfloat16.Widen<T, W>(b[p * ldb + j]);
            }

            Store(1, alpha, &sum, beta, c + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Strip<T, W, V, S>(long k, T* a, W* b, long ldb, T* sums)
        where T : unmanaged, INumber<T>
        where W : unmanaged
        where V : struct
        where S : ISimd<T, V>
    {
        V zero = S.Broadcast(T.Zero);
        V c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
        for (long p = 0; p < k; p++, b += ldb)
        {
            if (Sse.IsSupported)
            {
                W* next = b + PrefetchRows * ldb;
                for (int line = 0; line < Vectors * S.Count * sizeof(W); line += 64)
                {
                    Sse.Prefetch0((byte*)next + line);
                }
            }

            V x = S.Broadcast(a[p]);
            c0 = S.MultiplyAdd(x, S.LoadWide(b), c0);
            c1 = S.MultiplyAdd(x, S.LoadWide(b + S.Count), c1);
            c2 = S.MultiplyAdd(x, S.LoadWide(b + 2 * S.Count), c2);
            c3 = S.MultiplyAdd(x, S.LoadWide(b + 3 * S.Count), c3);
            c4 = S.MultiplyAdd(x, S.LoadWide(b + 4 * S.Count), c4);
            c5 = S.MultiplyAdd(x, S.LoadWide(b + 5 * S.Count), c5);
            c6 = S.MultiplyAdd(x, S.LoadWide(b + 6 * S.Count), c6);
            c7 = S.MultiplyAdd(x, S.LoadWide(b + 7 * S.Count), c7);
        }

        S.Store(sums, c0);
        S.Store(sums + S.Count, c1);
        S.Store(sums + 2 * S.Count, c2);
        S.Store(sums + 3 * S.Count, c3);
        S.Store(sums + 4 * S.Count, c4);
        S.Store(sums + 5 * S.Count, c5);
        S.Store(sums + 6 * S.Count, c6);
        S.Store(sums + 7 * S.Count, c7);
    }

    /// <summary>The columns of one vector, behind the last whole strip.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Column<T, W, V, S>(long k, T* a, W* b, long ldb, T* sums)
        where T : unmanaged, INumber<T>
        where W : unmanaged
        where V : struct
        where S : ISimd<T, V>
    {
        V sum = S.Broadcast(T.Zero);
        for (long p = 0; p < k; p++, b += ldb)
        {
            sum = S.MultiplyAdd(S.Broadcast(a[p]), S.LoadWide(b), sum);
        }

        S.Store(sums, sum);
    }

    private static void Store<T>(int count, T alpha, T* sums, T beta, T* c) where T : unmanaged, INumber<T>
    {
        for (int j = 0; j < count; j++)
        {
            T x = alpha * sums[j];
            c[j] = beta == T.Zero ? x : x + beta * c[j];
        }
    }
}
