using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Copies operands into panels that the micro-kernels stream through: step p of a panel holds its rows (of a) or columns
/// (of b) side by side. Lanes beyond <c>width</c> hold copies or old memory; what comes out of them is never stored.
/// Operands are of the panels' type T, or bfloat16 (ushort) that is widened on the way.
/// </summary>
internal static unsafe class GemmPacking
{
    /// <summary>panel[p, i] = x[p, i] for i &lt; width: the operand is already stored step by step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows<T, TStored>(T* panel, int stride, int width, TStored* x, long ldx, long k)
        where T : unmanaged
        where TStored : unmanaged
    {
        int vector = Vector128<T>.Count;
        for (long p = 0; p < k; p++, panel += stride, x += ldx)
        {
            int i = 0;
            for (; i <= width - 4 * vector; i += 4 * vector)
            {
                Simd512<T>.LoadWide(x + i).Store(panel + i);
            }

            for (; i <= width - vector; i += vector)
            {
                Simd128<T>.LoadWide(x + i).Store(panel + i);
            }

            for (; i < width; i++)
            {
                panel[i] = Bfloat16.Widen<T, TStored>(x[i]);
            }
        }
    }

    /// <summary>panel[p, i] = x[i, p] for i &lt; width, in blocks of 4 x 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Columns<T, TStored>(T* panel, int stride, int width, TStored* x, long ldx, long k)
        where T : unmanaged
        where TStored : unmanaged
    {
        for (int i = 0; i < width; i += 4)
        {
            // A block that sticks out repeats the last row.
            TStored* x0 = x + i * ldx;
            TStored* x1 = x + Math.Min(i + 1, width - 1) * ldx;
            TStored* x2 = x + Math.Min(i + 2, width - 1) * ldx;
            TStored* x3 = x + Math.Min(i + 3, width - 1) * ldx;
            T* to = panel + i;
            long p = 0;
            if (Avx.IsSupported)
            {
                for (; p <= k - 4; p += 4, to += 4 * stride)
                {
                    Transpose4x4(to, stride, x0 + p, x1 + p, x2 + p, x3 + p);
                }
            }

            for (; p < k; p++, to += stride)
            {
                to[0] = Bfloat16.Widen<T, TStored>(x0[p]);
                to[1] = Bfloat16.Widen<T, TStored>(x1[p]);
                to[2] = Bfloat16.Widen<T, TStored>(x2[p]);
                to[3] = Bfloat16.Widen<T, TStored>(x3[p]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4x4<T, TStored>(T* to, int stride, TStored* x0, TStored* x1, TStored* x2, TStored* x3)
        where T : unmanaged
        where TStored : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            Vector128<float> a = Simd128<float>.LoadWide(x0), b = Simd128<float>.LoadWide(x1);
            Vector128<float> c = Simd128<float>.LoadWide(x2), d = Simd128<float>.LoadWide(x3);
            Vector128<float> ab = Sse.UnpackLow(a, b), cd = Sse.UnpackLow(c, d), ef = Sse.UnpackHigh(a, b), gh = Sse.UnpackHigh(c, d);
            Sse.MoveLowToHigh(ab, cd).Store((float*)to);
            Sse.MoveHighToLow(cd, ab).Store((float*)(to + stride));
            Sse.MoveLowToHigh(ef, gh).Store((float*)(to + 2 * stride));
            Sse.MoveHighToLow(gh, ef).Store((float*)(to + 3 * stride));
        }
        else
        {
            Vector256<double> a = Avx.LoadVector256((double*)x0), b = Avx.LoadVector256((double*)x1);
            Vector256<double> c = Avx.LoadVector256((double*)x2), d = Avx.LoadVector256((double*)x3);
            Vector256<double> ab = Avx.UnpackLow(a, b), cd = Avx.UnpackLow(c, d), ef = Avx.UnpackHigh(a, b), gh = Avx.UnpackHigh(c, d);
            Avx.Permute2x128(ab, cd, 0x20).Store((double*)to);
            Avx.Permute2x128(ef, gh, 0x20).Store((double*)(to + stride));
            Avx.Permute2x128(ab, cd, 0x31).Store((double*)(to + 2 * stride));
            Avx.Permute2x128(ef, gh, 0x31).Store((double*)(to + 3 * stride));
        }
    }
}
