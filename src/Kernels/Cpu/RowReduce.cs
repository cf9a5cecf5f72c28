using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Reductions of one row. Sums are accumulated in double, in an order that depends on the length alone.</summary>
internal static class RowReduce
{
    /// <summary>The largest element that is not NaN; negative infinity of an empty row.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static T Max<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int whole = Whole(x);
        Vector512<T> rest = VectorMath.LoadPartial(x[whole..], T.NegativeInfinity), max = Vector512.Create(T.NegativeInfinity);
        for (int i = 0; i < whole; i += Vector512<T>.Count)
        {
            max = Vector512.MaxNative(Vector512.Create(x[i..]), max);
        }

        return LargestLane(Vector512.MaxNative(rest, max));
    }

    /// <summary>sum(x)</summary>
    [MethodImpl(InnerLoop.Options)]
    public static double Sum<T>(ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        int whole = Whole(x);
        var sum = default(DoubleLanes);
        sum.Add(VectorMath.LoadPartial(x[whole..], T.Zero));
        for (int i = 0; i < whole; i += Vector512<T>.Count)
        {
            sum.Add(Vector512.Create(x[i..]));
        }

        return sum.Total;
    }

    /// <summary>sum((x - center)^2)</summary>
    [MethodImpl(InnerLoop.Options)]
    public static double SumOfSquares<T>(ReadOnlySpan<T> x, double center) where T : unmanaged, INumber<T>
    {
        int whole = Whole(x);
        var sum = default(DoubleLanes);
        Vector512<double> centers = Vector512.Create(center);
        for (int i = 0; i < whole; i += Vector512<T>.Count)
        {
            sum.AddSquare(Vector512.Create(x[i..]), centers);
        }

        double total = sum.Total;
        foreach (T value in x[whole..])
        {
            double distance = double.CreateTruncating(value) - center;
            total += distance * distance;
        }

        return total;
    }

    /// <summary>sum(exp(x - shift))</summary>
    [MethodImpl(InnerLoop.Options)]
    public static double SumExp<T>(ReadOnlySpan<T> x, T shift) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int whole = Whole(x);
        var sum = default(DoubleLanes);
        Vector512<T> shifts = Vector512.Create(shift);
        sum.Add(VectorMath.Exp(VectorMath.LoadPartial(x[whole..], T.NegativeInfinity) - shifts));
        for (int i = 0; i < whole; i += Vector512<T>.Count)
        {
            sum.Add(VectorMath.Exp(Vector512.Create(x[i..]) - shifts));
        }

        return sum.Total;
    }

    /// <summary>max(x), and sum(exp(x - max)): memory is read once, because blocks that stay in the L1 cache are visited twice.</summary>
    public static (T Max, double Sum) MaxAndSumExp<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        const int Block = 2048;
        T max = T.BitIncrement(T.NegativeInfinity); // the lowest finite number: two infinities would make NaN
        double sum = 0;
        for (int from = 0; from < x.Length; from += Block)
        {
            ReadOnlySpan<T> block = x.Slice(from, Math.Min(Block, x.Length - from));
            T larger = T.Max(max, Max(block));
            sum *= Math.Exp(double.CreateTruncating(max) - double.CreateTruncating(larger));
            sum += SumExp(block, larger);
            max = larger;
        }

        return (max, sum);
    }

    /// <summary>y = exp(x - shift), and the sum of it; y may be x.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static double Exp<T>(Span<T> y, ReadOnlySpan<T> x, T shift) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int whole = Whole(x);
        var sum = default(DoubleLanes);
        Vector512<T> shifts = Vector512.Create(shift);
        Vector512<T> rest = VectorMath.Exp(VectorMath.LoadPartial(x[whole..], T.NegativeInfinity) - shifts);
        VectorMath.StorePartial(rest, y[whole..x.Length]);
        sum.Add(rest);
        for (int i = 0; i < whole; i += Vector512<T>.Count)
        {
            Vector512<T> e = VectorMath.Exp(Vector512.Create(x[i..]) - shifts);
            e.CopyTo(y[i..]);
            sum.Add(e);
        }

        return sum.Total;
    }

    private static T LargestLane<T>(Vector512<T> v) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T largest = v[0];
        for (int lane = 1; lane < Vector512<T>.Count; lane++)
        {
            largest = T.MaxNative(largest, v[lane]);
        }

        return largest;
    }

    /// <summary>
    /// How many elements fill whole vectors. What is left is loaded before the loop and kept apart: an accumulator that is
    /// alive across a call, or takes its result, lives on the stack, and there it costs ten times as much.
    /// </summary>
    private static int Whole<T>(ReadOnlySpan<T> x) => x.Length & -Vector512<T>.Count;
}
