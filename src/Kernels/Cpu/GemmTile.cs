using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>The micro-kernel: one tile of c stays in registers while the whole inner dimension streams by.</summary>
internal static unsafe class GemmTile
{
    /// <summary>Of the largest tile.</summary>
    private const int MaxElements = 14 * 32;

    /// <summary>
    /// c = alpha a b + beta c for a tile of R rows and one or two registers per row. Step p reads R neighbours at
    /// a + p aStep and one register row at b + p bStep. The row and register counts are the sizes of types, so that the JIT
    /// skips what a smaller tile does not need; 14 x 2 accumulators fill the 32 registers of AVX-512, 6 x 2 the 16 of AVX2.
    /// </summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<T, V, S, R, W>(long k, T* a, long aStep, T* b, long bStep, T alpha, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where V : struct
        where S : ISimd<T, V>
        where R : unmanaged
        where W : unmanaged
    {
        V zero = S.Broadcast(T.Zero);
        V c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero;
        V c7 = zero, c8 = zero, c9 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero;
        V d0 = zero, d1 = zero, d2 = zero, d3 = zero, d4 = zero, d5 = zero, d6 = zero;
        V d7 = zero, d8 = zero, d9 = zero, d10 = zero, d11 = zero, d12 = zero, d13 = zero;

        // The tile of c is needed last and is the one operand that the hardware prefetchers cannot foresee.
        for (int i = 0; i < sizeof(R) && Sse.IsSupported; i++)
        {
            Sse.Prefetch0(c + i * ldc);
            Sse.Prefetch0(c + i * ldc + S.Count);
        }

        for (; k > 0; k--)
        {
            V b0 = S.Load(b);
            V b1 = sizeof(W) > 1 ? S.Load(b + S.Count) : zero;
            V x = S.Broadcast(a[0]);
            c0 = S.MultiplyAdd(x, b0, c0);
            d0 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d0) : d0;
            if (sizeof(R) > 1)
            {
                x = S.Broadcast(a[1]);
                c1 = S.MultiplyAdd(x, b0, c1);
                d1 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d1) : d1;
            }

            if (sizeof(R) > 2)
            {
                x = S.Broadcast(a[2]);
                c2 = S.MultiplyAdd(x, b0, c2);
                d2 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d2) : d2;
            }

            if (sizeof(R) > 3)
            {
                x = S.Broadcast(a[3]);
                c3 = S.MultiplyAdd(x, b0, c3);
                d3 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d3) : d3;
            }

            if (sizeof(R) > 4)
            {
                x = S.Broadcast(a[4]);
                c4 = S.MultiplyAdd(x, b0, c4);
                d4 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d4) : d4;
            }

            if (sizeof(R) > 5)
            {
                x = S.Broadcast(a[5]);
                c5 = S.MultiplyAdd(x, b0, c5);
                d5 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d5) : d5;
            }

            if (sizeof(R) > 6)
            {
                x = S.Broadcast(a[6]);
                c6 = S.MultiplyAdd(x, b0, c6);
                d6 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d6) : d6;
            }

            if (sizeof(R) > 7)
            {
                x = S.Broadcast(a[7]);
                c7 = S.MultiplyAdd(x, b0, c7);
                d7 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d7) : d7;
            }

            if (sizeof(R) > 8)
            {
                x = S.Broadcast(a[8]);
                c8 = S.MultiplyAdd(x, b0, c8);
                d8 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d8) : d8;
            }

            if (sizeof(R) > 9)
            {
                x = S.Broadcast(a[9]);
                c9 = S.MultiplyAdd(x, b0, c9);
                d9 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d9) : d9;
            }

            if (sizeof(R) > 10)
            {
                x = S.Broadcast(a[10]);
                c10 = S.MultiplyAdd(x, b0, c10);
                d10 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d10) : d10;
            }

            if (sizeof(R) > 11)
            {
                x = S.Broadcast(a[11]);
                c11 = S.MultiplyAdd(x, b0, c11);
                d11 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d11) : d11;
            }

            if (sizeof(R) > 12)
            {
                x = S.Broadcast(a[12]);
                c12 = S.MultiplyAdd(x, b0, c12);
                d12 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d12) : d12;
            }

            if (sizeof(R) > 13)
            {
                x = S.Broadcast(a[13]);
                c13 = S.MultiplyAdd(x, b0, c13);
                d13 = sizeof(W) > 1 ? S.MultiplyAdd(x, b1, d13) : d13;
            }

            a += aStep;
            b += bStep;
        }

        // Added to c in a second step: kept here, it would double the time that each of the many kernels takes to compile.
        T* product = stackalloc T[MaxElements];
        T* to = beta == T.Zero ? c : product;
        long step = beta == T.Zero ? ldc : sizeof(W) * S.Count;
        V scale = S.Broadcast(alpha);
        StoreRow<T, V, S, W>(to, scale, c0, d0);
        if (sizeof(R) > 1)
        {
            StoreRow<T, V, S, W>(to + 1 * step, scale, c1, d1);
        }

        if (sizeof(R) > 2)
        {
            StoreRow<T, V, S, W>(to + 2 * step, scale, c2, d2);
        }

        if (sizeof(R) > 3)
        {
            StoreRow<T, V, S, W>(to + 3 * step, scale, c3, d3);
        }

        if (sizeof(R) > 4)
        {
            StoreRow<T, V, S, W>(to + 4 * step, scale, c4, d4);
        }

        if (sizeof(R) > 5)
        {
            StoreRow<T, V, S, W>(to + 5 * step, scale, c5, d5);
        }

        if (sizeof(R) > 6)
        {
            StoreRow<T, V, S, W>(to + 6 * step, scale, c6, d6);
        }

        if (sizeof(R) > 7)
        {
            StoreRow<T, V, S, W>(to + 7 * step, scale, c7, d7);
        }

        if (sizeof(R) > 8)
        {
            StoreRow<T, V, S, W>(to + 8 * step, scale, c8, d8);
        }

        if (sizeof(R) > 9)
        {
            StoreRow<T, V, S, W>(to + 9 * step, scale, c9, d9);
        }

        if (sizeof(R) > 10)
        {
            StoreRow<T, V, S, W>(to + 10 * step, scale, c10, d10);
        }

        if (sizeof(R) > 11)
        {
            StoreRow<T, V, S, W>(to + 11 * step, scale, c11, d11);
        }

        if (sizeof(R) > 12)
        {
            StoreRow<T, V, S, W>(to + 12 * step, scale, c12, d12);
        }

        if (sizeof(R) > 13)
        {
            StoreRow<T, V, S, W>(to + 13 * step, scale, c13, d13);
        }

        if (beta != T.Zero)
        {
            Add<T, V, S>(product, sizeof(R), sizeof(W), beta, c, ldc);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<T, V, S, W>(T* to, V scale, V c, V d)
        where T : unmanaged
        where V : struct
        where S : ISimd<T, V>
        where W : unmanaged
    {
        S.Store(to, S.Multiply(scale, c));
        if (sizeof(W) > 1)
        {
            S.Store(to + S.Count, S.Multiply(scale, d));
        }
    }

    /// <summary>c = product + beta c</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void Add<T, V, S>(T* product, int rows, int vectors, T beta, T* c, long ldc)
        where T : unmanaged
        where V : struct
        where S : ISimd<T, V>
    {
        V scale = S.Broadcast(beta);
        for (int i = 0; i < rows; i++, c += ldc)
        {
            for (int j = 0; j < vectors; j++, product += S.Count)
            {
                T* to = c + j * S.Count;
                S.Store(to, S.MultiplyAdd(scale, S.Load(to), S.Load(product)));
            }
        }
    }
}
