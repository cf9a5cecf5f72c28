using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Sums over the rows of a matrix, one row at a time. There is a sum in double for every column, and room up to a whole vector.</summary>
internal static unsafe class ColumnReduce
{
    /// <summary>sums += x</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void Add<T>(Span<double> sums, ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        fixed (double* to = sums)
        {
            int i = 0;
            for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
            {
                Add(to + i, Vector512.Create(x[i..]));
            }

            if (i < x.Length)
            {
                Add(to + i, VectorMath.LoadPartial(x[i..], T.Zero));
            }
        }
    }

    /// <summary>sums += scale (x - mean) dy</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void AddProduct<T>(Span<double> sums, ReadOnlySpan<T> dy, ReadOnlySpan<T> x, double mean, double scale)
        where T : unmanaged, INumber<T>
    {
        Vector512<T> means = Vector512.Create(T.CreateTruncating(mean)), scales = Vector512.Create(T.CreateTruncating(scale));
        fixed (double* to = sums)
        {
            int i = 0;
            for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
            {
                Add(to + i, (Vector512.Create(x[i..]) - means) * scales * Vector512.Create(dy[i..]));
            }

            if (i < x.Length)
            {
                Add(to + i, (VectorMath.LoadPartial(x[i..], T.Zero) - means) * scales * VectorMath.LoadPartial(dy[i..], T.Zero));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<T>(double* sums, Vector512<T> v)
    {
        if (typeof(T) == typeof(float))
        {
            (Vector512.Load(sums) + Vector512.WidenLower(v.AsSingle())).Store(sums);
            sums += Vector512<double>.Count;
            (Vector512.Load(sums) + Vector512.WidenUpper(v.AsSingle())).Store(sums);
        }
        else
        {
            (Vector512.Load(sums) + v.AsDouble()).Store(sums);
        }
    }
}
