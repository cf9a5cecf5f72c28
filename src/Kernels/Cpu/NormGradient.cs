using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// The gradient of y = c scale gain with c = x - mean and scale = 1 / sqrt(sum(c^2) / width + eps), one row at a time. With
/// u = dy gain it is dx = scale (u - mean(u) - c scale^2 sum(u c) / width); no gain is an empty one. Where the mean is not a
/// function of x (RMSNorm), mean(u) drops out.
/// </summary>
internal static unsafe class NormGradient
{
    /// <summary>dx += the gradient of the row.</summary>
    public static void AddInput<T>(
        Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> gain, double mean, double scale, long width, bool centered)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        (double sum, double moment) = Sums(dy, x, gain, mean);
        double meanOfU = centered ? sum / width : 0, slope = -scale * scale * moment / width;
        AddInput(dx, dy, x, gain, T.CreateTruncating(mean), T.CreateTruncating(meanOfU), T.CreateTruncating(scale), T.CreateTruncating(slope));
    }

    /// <summary>sum(u) and sum(u c)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static (double Sum, double Moment) Sums<T>(ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> gain, double mean)
        where T : unmanaged, INumber<T>
    {
        int whole = x.Length & -Vector512<T>.Count;
        DoubleLanes sum = default, moment = default;
        Vector512<double> means = Vector512.Create(mean);
        Vector512<T> lastX = VectorMath.LoadPartial(x[whole..], T.Zero), lastU = LastU(dy, gain, whole);
        sum.Add(lastU);
        moment.AddProduct(lastU, lastX, means);
        fixed (T* pdy = dy, px = x, pgain = gain)
        {
            for (int i = 0; i < whole; i += Vector512<T>.Count)
            {
                Vector512<T> u = U(pdy, pgain, i);
                sum.Add(u);
                moment.AddProduct(u, Vector512.Load(px + i), means);
            }
        }

        return (sum.Total, moment.Total);
    }

    /// <summary>dx += scale (u - meanOfU + slope c)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void AddInput<T>(Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> gain, T mean, T meanOfU, T scale, T slope)
        where T : unmanaged, INumber<T>
    {
        Vector512<T> means = Vector512.Create(mean), meansOfU = Vector512.Create(meanOfU), scales = Vector512.Create(scale), slopes = Vector512.Create(slope);
        int i = 0;
        fixed (T* pdx = dx, pdy = dy, px = x, pgain = gain)
        {
            for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
            {
                Vector512<T> gradient = Simd512<T>.MultiplyAdd(slopes, Vector512.Load(px + i) - means, U(pdy, pgain, i) - meansOfU);
                Simd512<T>.MultiplyAdd(scales, gradient, Vector512.Load(pdx + i)).Store(pdx + i);
            }
        }

        Vector512<T> last = Simd512<T>.MultiplyAdd(slopes, VectorMath.LoadPartial(x[i..], T.Zero) - means, LastU(dy, gain, i) - meansOfU);
        VectorMath.StorePartial(Simd512<T>.MultiplyAdd(scales, last, VectorMath.LoadPartial<T>(dx[i..], T.Zero)), dx[i..]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> U<T>(T* dy, T* gain, int at) where T : unmanaged =>
        gain == null ? Vector512.Load(dy + at) : Vector512.Load(dy + at) * Vector512.Load(gain + at);

    private static Vector512<T> LastU<T>(ReadOnlySpan<T> dy, ReadOnlySpan<T> gain, int at) where T : unmanaged, INumber<T>
    {
        Vector512<T> last = VectorMath.LoadPartial(dy[at..], T.Zero);
        return gain.IsEmpty ? last : last * VectorMath.LoadPartial(gain[at..], T.Zero);
    }
}
