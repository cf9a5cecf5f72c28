using System.Numerics;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Reductions of one row. Sums are accumulated in double, in an order that depends on the length alone.</summary>
internal static class RowReduce
{
    /// <summary>The largest element that is not NaN; negative infinity of an empty row.</summary>
    public static T Max<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> max = Vector512.Create(T.NegativeInfinity);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            max = Vector512.MaxNative(Vector512.Create(x[i..]), max);
        }

        max = Vector512.MaxNative(VectorMath.LoadPartial(x[i..], T.NegativeInfinity), max);
        T largest = max[0];
        for (int lane = 1; lane < Vector512<T>.Count; lane++)
        {
            largest = T.MaxNative(largest, max[lane]);
        }

        return largest;
    }

    /// <summary>sum(x)</summary>
    public static double Sum<T>(ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        var sum = default(DoubleLanes);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            sum.Add(Vector512.Create(x[i..]));
        }

        sum.Add(VectorMath.LoadPartial(x[i..], T.Zero));
        return sum.Total;
    }

    /// <summary>sum((x - center)^2)</summary>
    public static double SumOfSquares<T>(ReadOnlySpan<T> x, double center) where T : unmanaged, INumber<T>
    {
        var sum = default(DoubleLanes);
        Vector512<double> centers = Vector512.Create(center);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            sum.AddSquare(Vector512.Create(x[i..]), centers);
        }

        double total = sum.Total;
        for (; i < x.Length; i++)
        {
            double distance = double.CreateTruncating(x[i]) - center;
            total += distance * distance;
        }

        return total;
    }

    /// <summary>y = exp(x - shift), and the sum of it; y may be x.</summary>
    public static double Exp<T>(Span<T> y, ReadOnlySpan<T> x, T shift) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var sum = default(DoubleLanes);
        Vector512<T> shifts = Vector512.Create(shift);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            Vector512<T> e = VectorMath.Exp(Vector512.Create(x[i..]) - shifts);
            e.CopyTo(y[i..]);
            sum.Add(e);
        }

        if (i < x.Length)
        {
            Vector512<T> e = VectorMath.Exp(VectorMath.LoadPartial(x[i..], T.NegativeInfinity) - shifts);
            VectorMath.StorePartial(e, y[i..x.Length]);
            sum.Add(e);
        }

        return sum.Total;
    }

    /// <summary>sum(exp(x - shift))</summary>
    public static double SumExp<T>(ReadOnlySpan<T> x, T shift) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var sum = default(DoubleLanes);
        Vector512<T> shifts = Vector512.Create(shift);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            sum.Add(VectorMath.Exp(Vector512.Create(x[i..]) - shifts));
        }

        sum.Add(VectorMath.Exp(VectorMath.LoadPartial(x[i..], T.NegativeInfinity) - shifts));
        return sum.Total;
    }
}
