using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Transcendental functions of a whole vector. The loops of the back-end are written once, for Vector512; on a processor
/// with narrower registers the JIT makes two or four operations of each.
/// </summary>
internal static class VectorMath
{
    /// <summary>The first lanes from <paramref name="x"/>, the others <paramref name="fill"/>: the last, incomplete vector of a row.</summary>
    [MethodImpl(InnerLoop.Options)] // inlined, its stack buffer would keep the caller's vectors out of registers
    public static Vector512<T> LoadPartial<T>(ReadOnlySpan<T> x, T fill) where T : unmanaged
    {
        if (x.IsEmpty)
        {
            return Vector512.Create(fill);
        }

        Span<T> lanes = stackalloc T[Vector512<T>.Count];
        lanes.Fill(fill);
        x.CopyTo(lanes);
        return Vector512.Create<T>(lanes);
    }

    /// <summary>Stores as many of the first lanes as <paramref name="y"/> is long.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void StorePartial<T>(Vector512<T> v, Span<T> y) where T : unmanaged
    {
        if (y.IsEmpty)
        {
            return;
        }

        Span<T> lanes = stackalloc T[Vector512<T>.Count];
        v.CopyTo(lanes);
        lanes[..y.Length].CopyTo(y);
    }

    /// <summary>sums[i] = the sum over the lanes of vector i. Four together take a quarter of the work of four alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Sums<T>(T* sums, Vector128<T> x0, Vector128<T> x1, Vector128<T> x2, Vector128<T> x3) where T : unmanaged
    {
        if (typeof(T) == typeof(float) && Sse.IsSupported)
        {
            Vector128<float> a = x0.AsSingle(), b = x1.AsSingle(), c = x2.AsSingle(), d = x3.AsSingle();
            Vector128<float> ab = Sse.UnpackLow(a, b) + Sse.UnpackHigh(a, b), cd = Sse.UnpackLow(c, d) + Sse.UnpackHigh(c, d);
            (Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab)).Store((float*)sums);
            return;
        }

        (sums[0], sums[1], sums[2], sums[3]) = (Vector128.Sum(x0), Vector128.Sum(x1), Vector128.Sum(x2), Vector128.Sum(x3));
    }

    /// <summary>exp(x), within 1.01 ulp; results below the normal range are 0, exp(0) is exactly 1. Always fused, so that
    /// code which is not optimised yet gives the same bits (Vector512.Exp does not promise that).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Exp<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Exp(x.AsSingle()).As<float, T>() : Exp(x.AsDouble()).As<double, T>();

    /// <summary>erf(x), within an ulp or so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Erf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Erf(x.AsSingle()).As<float, T>() : Erf(x.AsDouble()).As<double, T>();

    /// <summary>
    /// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| at most ln(2) / 2; ln 2 is subtracted in two parts, exp(r) is the
    /// polynomial of Cephes' expf.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x)
    {
        // adding 1.5 * 2^23 rounds to an integer and leaves it in the lowest bits
        Vector512<float> magic = Vector512.Create(12582912f);
        Vector512<float> shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), magic);
        Vector512<float> n = shifted - magic;
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);

        Vector512<float> p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;

        Vector512<float> y = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        y = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(88.72284f)), y, x + Vector512.Create(float.PositiveInfinity));
        return Vector512.AndNot(y, Vector512.LessThan(x, Vector512.Create(-87.33654f)));
    }

    /// <summary>The same in F64, with the Taylor polynomial of degree 13.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Exp(Vector512<double> x)
    {
        // as above with 1.5 * 2^52
        Vector512<double> magic = Vector512.Create(6755399441055744.0);
        Vector512<double> shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.4426950408889634), magic);
        Vector512<double> n = shifted - magic;
        Vector512<double> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.69314718036912382), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-1.9082149292705877e-10), r);

        Vector512<double> p = Vector512.Create(1.0 / 6227020800);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 479001600));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 39916800));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 3628800));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 362880));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 40320));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 5040));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 720));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 120));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 24));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<double>.One;

        Vector512<double> y = (p.AsInt64() + (shifted.AsInt64() << 52)).AsDouble();
        y = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(709.782712893384)), y, x + Vector512.Create(double.PositiveInfinity));
        return Vector512.AndNot(y, Vector512.LessThan(x, Vector512.Create(-708.3964185322641)));
    }

    /// <summary>Two polynomials, for small and for large |x|, after N. Juffa's erff.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Erf(Vector512<float> x)
    {
        Vector512<float> a = Vector512.Abs(x), z = x * x;
        Vector512<float> small = Vector512.Create(-5.96761703e-4f);
        small = Vector512.FusedMultiplyAdd(small, z, Vector512.Create(4.99119423e-3f));
        small = Vector512.FusedMultiplyAdd(small, z, Vector512.Create(-2.67681349e-2f));
        small = Vector512.FusedMultiplyAdd(small, z, Vector512.Create(1.12819925e-1f));
        small = Vector512.FusedMultiplyAdd(small, z, Vector512.Create(-3.76125336e-1f));
        small = Vector512.FusedMultiplyAdd(small, z, Vector512.Create(1.28379166e-1f));
        small = Vector512.FusedMultiplyAdd(small, x, x);

        Vector512<float> p = Vector512.Create(-1.72853470e-5f);
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(3.83197126e-4f));
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(-3.88396438e-3f));
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(2.42546219e-2f));
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(-1.06777877e-1f));
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(-6.34846687e-1f));
        p = Vector512.FusedMultiplyAdd(p, a, Vector512.Create(-1.28717512e-1f));
        p = Vector512.FusedMultiplyAdd(p, a, -a);
        Vector512<float> large = Vector512.CopySign(Vector512<float>.One - Exp(p), x);

        // from 4 on erf is 1 in F32, and the polynomial is not made for it
        large = Vector512.ConditionalSelect(Vector512.GreaterThan(a, Vector512.Create(4f)), Vector512.CopySign(Vector512<float>.One, x), large);
        return Vector512.ConditionalSelect(Vector512.GreaterThan(a, Vector512.Create(0.927734375f)), large, small);
    }

    private static Vector512<double> Erf(Vector512<double> x)
    {
        Span<double> lanes = stackalloc double[Vector512<double>.Count];
        x.CopyTo(lanes);
        foreach (ref double lane in lanes)
        {
            lane = Cpu.Erf.Of(lane);
        }

        return Vector512.Create<double>(lanes);
    }
}
