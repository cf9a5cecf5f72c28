using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>What sums, norms, softmax and checks do with one row. (The library's functions would run unoptimised in the first second of a process.)</summary>
internal static unsafe class RowMath
{
    /// <summary>y = x factor, and then times <paramref name="gain"/> where there is one; y may be x.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void Scale<T>(Span<T> y, ReadOnlySpan<T> x, T factor, ReadOnlySpan<T> gain = default) where T : unmanaged, INumber<T>
    {
        Vector512<T> factors = Vector512.Create(factor);
        fixed (T* py = y, px = x, pgain = gain)
        {
            int i = 0;
            for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
            {
                Vector512<T> scaled = Vector512.Load(px + i) * factors;
                (pgain == null ? scaled : scaled * Vector512.Load(pgain + i)).Store(py + i);
            }

            for (; i < x.Length; i++)
            {
                T scaled = px[i] * factor;
                py[i] = pgain == null ? scaled : scaled * pgain[i];
            }
        }
    }

    /// <summary>y += x</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void Add<T>(Span<T> y, ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        fixed (T* py = y, px = x)
        {
            int i = 0;
            for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
            {
                (Vector512.Load(py + i) + Vector512.Load(px + i)).Store(py + i);
            }

            for (; i < x.Length; i++)
            {
                py[i] += px[i];
            }
        }
    }

    /// <summary>sum(x y)</summary>
    [MethodImpl(InnerLoop.Options)]
    public static T Dot<T>(T* x, T* y, int count) where T : unmanaged, INumber<T>
    {
        Vector512<T> sums = Vector512<T>.Zero;
        int i = 0;
        for (; i <= count - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            sums = Simd512<T>.MultiplyAdd(Vector512.Load(x + i), Vector512.Load(y + i), sums);
        }

        T rest = T.Zero;
        for (; i < count; i++)
        {
            rest += x[i] * y[i];
        }

        return Vector512.Sum(sums) + rest;
    }
}
