using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>The micro-kernel: one tile of c stays in registers while the whole inner dimension streams by.</summary>
internal static unsafe class GemmTile
{
    /// <summary>
    /// c = alpha a b + beta c for a tile of R rows and one or two registers per row. Step p reads R neighbours at
    /// a + p aStep and one register row at b + p bStep. The row and register counts are types, so that the JIT drops
    /// what a smaller tile does not need; 14 x 2 accumulators fill the 32 registers of AVX-512, 6 x 2 the 16 of AVX2.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<T, V, S, R, W>(long k, T* a, long aStep, T* b, long bStep, T alpha, T beta, T* c, long ldc)
        where T : unmanaged, INumber<T>
        where V : struct
        where S : ISimd<T, V>
        where R : ICount
        where W : ICount
    {
        int rows = R.Count;
        bool wide = W.Count > 1;
        V zero = S.Broadcast(T.Zero);
        V c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero;
        V c7 = zero, c8 = zero, c9 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero;
        V d0 = zero, d1 = zero, d2 = zero, d3 = zero, d4 = zero, d5 = zero, d6 = zero;
        V d7 = zero, d8 = zero, d9 = zero, d10 = zero, d11 = zero, d12 = zero, d13 = zero;

        // The tile of c is needed last and is the one operand that the hardware prefetchers cannot foresee.
        for (int i = 0; i < rows && Sse.IsSupported; i++)
        {
            Sse.Prefetch0(c + i * ldc);
            Sse.Prefetch0(c + i * ldc + S.Count);
        }

        for (; k > 0; k--)
        {
            V b0 = S.Load(b);
            V b1 = wide ? S.Load(b + S.Count) : zero;
            V x = S.Broadcast(a[0]);
            c0 = S.MultiplyAdd(x, b0, c0);
            d0 = wide ? S.MultiplyAdd(x, b1, d0) : d0;
            if (rows > 1)
            {
                x = S.Broadcast(a[1]);
                c1 = S.MultiplyAdd(x, b0, c1);
                d1 = wide ? S.MultiplyAdd(x, b1, d1) : d1;
            }

            if (rows > 2)
            {
                x = S.Broadcast(a[2]);
                c2 = S.MultiplyAdd(x, b0, c2);
                d2 = wide ? S.MultiplyAdd(x, b1, d2) : d2;
            }

            if (rows > 3)
            {
                x = S.Broadcast(a[3]);
                c3 = S.MultiplyAdd(x, b0, c3);
                d3 = wide ? S.MultiplyAdd(x, b1, d3) : d3;
            }

            if (rows > 4)
            {
                x = S.Broadcast(a[4]);
                c4 = S.MultiplyAdd(x, b0, c4);
                d4 = wide ? S.MultiplyAdd(x, b1, d4) : d4;
            }

            if (rows > 5)
            {
                x = S.Broadcast(a[5]);
                c5 = S.MultiplyAdd(x, b0, c5);
                d5 = wide ? S.MultiplyAdd(x, b1, d5) : d5;
            }

            if (rows > 6)
            {
                x = S.Broadcast(a[6]);
                c6 = S.MultiplyAdd(x, b0, c6);
                d6 = wide ? S.MultiplyAdd(x, b1, d6) : d6;
            }

            if (rows > 7)
            {
                x = S.Broadcast(a[7]);
                c7 = S.MultiplyAdd(x, b0, c7);
                d7 = wide ? S.MultiplyAdd(x, b1, d7) : d7;
            }

            if (rows > 8)
            {
                x = S.Broadcast(a[8]);
                c8 = S.MultiplyAdd(x, b0, c8);
                d8 = wide ? S.MultiplyAdd(x, b1, d8) : d8;
            }

            if (rows > 9)
            {
                x = S.Broadcast(a[9]);
                c9 = S.MultiplyAdd(x, b0, c9);
                d9 = wide ? S.MultiplyAdd(x, b1, d9) : d9;
            }

            if (rows > 10)
            {
                x = S.Broadcast(a[10]);
                c10 = S.MultiplyAdd(x, b0, c10);
                d10 = wide ? S.MultiplyAdd(x, b1, d10) : d10;
            }

            if (rows > 11)
            {
                x = S.Broadcast(a[11]);
                c11 = S.MultiplyAdd(x, b0, c11);
                d11 = wide ? S.MultiplyAdd(x, b1, d11) : d11;
            }

            if (rows > 12)
            {
                x = S.Broadcast(a[12]);
                c12 = S.MultiplyAdd(x, b0, c12);
                d12 = wide ? S.MultiplyAdd(x, b1, d12) : d12;
            }

            if (rows > 13)
            {
                x = S.Broadcast(a[13]);
                c13 = S.MultiplyAdd(x, b0, c13);
                d13 = wide ? S.MultiplyAdd(x, b1, d13) : d13;
            }

            a += aStep;
            b += bStep;
        }

        StoreRow<T, V, S>(c, c0, d0, wide, alpha, beta);
        if (rows > 1)
        {
            StoreRow<T, V, S>(c + 1 * ldc, c1, d1, wide, alpha, beta);
        }

        if (rows > 2)
        {
            StoreRow<T, V, S>(c + 2 * ldc, c2, d2, wide, alpha, beta);
        }

        if (rows > 3)
        {
            StoreRow<T, V, S>(c + 3 * ldc, c3, d3, wide, alpha, beta);
        }

        if (rows > 4)
        {
            StoreRow<T, V, S>(c + 4 * ldc, c4, d4, wide, alpha, beta);
        }

        if (rows > 5)
        {
            StoreRow<T, V, S>(c + 5 * ldc, c5, d5, wide, alpha, beta);
        }

        if (rows > 6)
        {
            StoreRow<T, V, S>(c + 6 * ldc, c6, d6, wide, alpha, beta);
        }

        if (rows > 7)
        {
            StoreRow<T, V, S>(c + 7 * ldc, c7, d7, wide, alpha, beta);
        }

        if (rows > 8)
        {
            StoreRow<T, V, S>(c + 8 * ldc, c8, d8, wide, alpha, beta);
        }

        if (rows > 9)
        {
            StoreRow<T, V, S>(c + 9 * ldc, c9, d9, wide, alpha, beta);
        }

        if (rows > 10)
        {
            StoreRow<T, V, S>(c + 10 * ldc, c10, d10, wide, alpha, beta);
        }

        if (rows > 11)
        {
            StoreRow<T, V, S>(c + 11 * ldc, c11, d11, wide, alpha, beta);
        }

        if (rows > 12)
        {
            StoreRow<T, V, S>(c + 12 * ldc, c12, d12, wide, alpha, beta);
        }

        if (rows > 13)
        {
            StoreRow<T, V, S>(c + 13 * ldc, c13, d13, wide, alpha, beta);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<T, V, S>(T* to, V c, V d, bool wide, T alpha, T beta)
        where T : unmanaged, INumber<T>
        where V : struct
        where S : ISimd<T, V>
    {
        c = S.Multiply(S.Broadcast(alpha), c);
        d = S.Multiply(S.Broadcast(alpha), d);
        if (beta != T.Zero)
        {
            c = S.MultiplyAdd(S.Broadcast(beta), S.Load(to), c);
            d = wide ? S.MultiplyAdd(S.Broadcast(beta), S.Load(to + S.Count), d) : d;
        }

        S.Store(to, c);
        if (wide)
        {
            S.Store(to + S.Count, d);
        }
    }
}
