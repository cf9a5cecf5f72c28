using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Sums of the saliency over one row of w, which is of TWeight (ushort is bfloat16), with g and h of T; those that
/// TSaliency does not use are empty.
/// </summary>
internal static class SaliencySums<TWeight, T, TSaliency>
    where TWeight : unmanaged
    where T : unmanaged
    where TSaliency : struct, ISaliency
{
    private static readonly int Count = Vector512<double>.Count;

    /// <summary>The sum over the row.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static double OfRow(ReadOnlySpan<TWeight> w, ReadOnlySpan<T> g, ReadOnlySpan<T> h)
    {
        int whole = w.Length & -Count;
        Vector512<double> last = Last(w, g, h, whole), sum = Vector512<double>.Zero;
        for (int i = 0; i < whole; i += Count)
        {
            sum += At(w, g, h, i);
        }

        return Vector512.Sum(sum + last);
    }

    /// <summary>sums += the saliency, column by column; up to a whole vector is written.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void AddColumns(Span<double> sums, ReadOnlySpan<TWeight> w, ReadOnlySpan<T> g, ReadOnlySpan<T> h)
    {
        int i = 0;
        for (; i <= w.Length - Count; i += Count)
        {
            (Vector512.Create<double>(sums[i..]) + At(w, g, h, i)).CopyTo(sums[i..]);
        }

        if (i < w.Length)
        {
            (Vector512.Create<double>(sums[i..]) + Last(w, g, h, i)).CopyTo(sums[i..]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> At(ReadOnlySpan<TWeight> w, ReadOnlySpan<T> g, ReadOnlySpan<T> h, int at) => TSaliency.Of(
        Doubles(w, at), TSaliency.UsesGradient ? Doubles(g, at) : default, TSaliency.UsesSquaredGradient ? Doubles(h, at) : default);

    /// <summary>The incomplete vector at the end of the row.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<double> Last(ReadOnlySpan<TWeight> w, ReadOnlySpan<T> g, ReadOnlySpan<T> h, int at)
    {
        Span<TWeight> lastW = stackalloc TWeight[Count];
        Span<T> lastG = stackalloc T[Count], lastH = stackalloc T[Count];
        w[at..].CopyTo(lastW);
        if (TSaliency.UsesGradient)
        {
            g[at..].CopyTo(lastG);
        }

        if (TSaliency.UsesSquaredGradient)
        {
            h[at..].CopyTo(lastH);
        }

        return At(lastW, lastG, lastH, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Doubles<TElement>(ReadOnlySpan<TElement> x, int at) where TElement : unmanaged
    {
        if (typeof(TElement) == typeof(double))
        {
            return Vector512.Create(x[at..]).AsDouble();
        }

        Vector256<float> single = typeof(TElement) == typeof(float)
            ? Vector256.Create(x[at..]).AsSingle()
            : (Vector256.WidenLower(Vector128.Create(x[at..]).AsUInt16().ToVector256Unsafe()) << 16).AsSingle();
        return Vector512.WidenLower(single.ToVector512Unsafe());
    }
}
