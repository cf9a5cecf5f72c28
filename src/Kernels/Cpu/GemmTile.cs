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
        V c00 = zero, c10 = zero, c20 = zero, c30 = zero, c40 = zero, c50 = zero, c60 = zero, c70 = zero, c80 = zero, c90 = zero, c100 = zero, c110 = zero, c120 = zero, c130 = zero;
        V c01 = zero, c11 = zero, c21 = zero, c31 = zero, c41 = zero, c51 = zero, c61 = zero, c71 = zero, c81 = zero, c91 = zero, c101 = zero, c111 = zero, c121 = zero, c131 = zero;
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
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = wide ? S.MultiplyAdd(x, b1, c01) : c01;
            if (rows > 1)
            {
                x = S.Broadcast(a[1]);
                c10 = S.MultiplyAdd(x, b0, c10);
                c11 = wide ? S.MultiplyAdd(x, b1, c11) : c11;
            }

            if (rows > 2)
            {
                x = S.Broadcast(a[2]);
                c20 = S.MultiplyAdd(x, b0, c20);
                c21 = wide ? S.MultiplyAdd(x, b1, c21) : c21;
            }

            if (rows > 3)
            {
                x = S.Broadcast(a[3]);
                c30 = S.MultiplyAdd(x, b0, c30);
                c31 = wide ? S.MultiplyAdd(x, b1, c31) : c31;
            }

            if (rows > 4)
            {
                x = S.Broadcast(a[4]);
                c40 = S.MultiplyAdd(x, b0, c40);
                c41 = wide ? S.MultiplyAdd(x, b1, c41) : c41;
            }

            if (rows > 5)
            {
                x = S.Broadcast(a[5]);
                c50 = S.MultiplyAdd(x, b0, c50);
                c51 = wide ? S.MultiplyAdd(x, b1, c51) : c51;
            }

            if (rows > 6)
            {
                x = S.Broadcast(a[6]);
                c60 = S.MultiplyAdd(x, b0, c60);
                c61 = wide ? S.MultiplyAdd(x, b1, c61) : c61;
            }

            if (rows > 7)
            {
                x = S.Broadcast(a[7]);
                c70 = S.MultiplyAdd(x, b0, c70);
                c71 = wide ? S.MultiplyAdd(x, b1, c71) : c71;
            }

            if (rows > 8)
            {
                x = S.Broadcast(a[8]);
                c80 = S.MultiplyAdd(x, b0, c80);
                c81 = wide ? S.MultiplyAdd(x, b1, c81) : c81;
            }

            if (rows > 9)
            {
                x = S.Broadcast(a[9]);
                c90 = S.MultiplyAdd(x, b0, c90);
                c91 = wide ? S.MultiplyAdd(x, b1, c91) : c91;
            }

            if (rows > 10)
            {
                x = S.Broadcast(a[10]);
                c100 = S.MultiplyAdd(x, b0, c100);
                c101 = wide ? S.MultiplyAdd(x, b1, c101) : c101;
            }

            if (rows > 11)
            {
                x = S.Broadcast(a[11]);
                c110 = S.MultiplyAdd(x, b0, c110);
                c111 = wide ? S.MultiplyAdd(x, b1, c111) : c111;
            }

            if (rows > 12)
            {
                x = S.Broadcast(a[12]);
                c120 = S.MultiplyAdd(x, b0, c120);
                c121 = wide ? S.MultiplyAdd(x, b1, c121) : c121;
            }

            if (rows > 13)
            {
                x = S.Broadcast(a[13]);
                c130 = S.MultiplyAdd(x, b0, c130);
                c131 = wide ? S.MultiplyAdd(x, b1, c131) : c131;
            }

            a += aStep;
            b += bStep;
        }

        StoreRow<T, V, S>(c, c00, c01, wide, alpha, beta);
        if (rows > 1)
        {
            StoreRow<T, V, S>(c + 1 * ldc, c10, c11, wide, alpha, beta);
        }

        if (rows > 2)
        {
            StoreRow<T, V, S>(c + 2 * ldc, c20, c21, wide, alpha, beta);
        }

        if (rows > 3)
        {
            StoreRow<T, V, S>(c + 3 * ldc, c30, c31, wide, alpha, beta);
        }

        if (rows > 4)
        {
            StoreRow<T, V, S>(c + 4 * ldc, c40, c41, wide, alpha, beta);
        }

        if (rows > 5)
        {
            StoreRow<T, V, S>(c + 5 * ldc, c50, c51, wide, alpha, beta);
        }

        if (rows > 6)
        {
            StoreRow<T, V, S>(c + 6 * ldc, c60, c61, wide, alpha, beta);
        }

        if (rows > 7)
        {
            StoreRow<T, V, S>(c + 7 * ldc, c70, c71, wide, alpha, beta);
        }

        if (rows > 8)
        {
            StoreRow<T, V, S>(c + 8 * ldc, c80, c81, wide, alpha, beta);
        }

        if (rows > 9)
        {
            StoreRow<T, V, S>(c + 9 * ldc, c90, c91, wide, alpha, beta);
        }

        if (rows > 10)
        {
            StoreRow<T, V, S>(c + 10 * ldc, c100, c101, wide, alpha, beta);
        }

        if (rows > 11)
        {
            StoreRow<T, V, S>(c + 11 * ldc, c110, c111, wide, alpha, beta);
        }

        if (rows > 12)
        {
            StoreRow<T, V, S>(c + 12 * ldc, c120, c121, wide, alpha, beta);
        }

        if (rows > 13)
        {
            StoreRow<T, V, S>(c + 13 * ldc, c130, c131, wide, alpha, beta);
        }

    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<T, V, S>(T* c, V c0, V c1, bool wide, T alpha, T beta)
        where T : unmanaged, INumber<T>
        where V : struct
        where S : ISimd<T, V>
    {
        c0 = S.Multiply(S.Broadcast(alpha), c0);
        c1 = S.Multiply(S.Broadcast(alpha), c1);
        if (beta != T.Zero)
        {
            c0 = S.MultiplyAdd(S.Broadcast(beta), S.Load(c), c0);
            c1 = wide ? S.MultiplyAdd(S.Broadcast(beta), S.Load(c + S.Count), c1) : c1;
        }

        S.Store(c, c0);
        if (wide)
        {
            S.Store(c + S.Count, c1);
        }
    }
}
