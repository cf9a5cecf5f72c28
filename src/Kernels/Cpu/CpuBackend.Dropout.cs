using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <summary>Words that are drawn at once: they stay in the L1 cache.</summary>
    private const int DrawnWords = 16 * Philox.Block;

    /// <inheritdoc/>
    public void Dropout(Tensor y, Tensor x, double rate, ulong key, long firstRow = 0)
    {
        Check.Dropout(this, y, x, rate);
        if (rate == 0)
        {
            Copy(y, x);
        }
        else if (x.DType == DType.F32)
        {
            Dropout<float>(y, x, rate, key, firstRow);
        }
        else
        {
            Dropout<double>(y, x, rate, key, firstRow);
        }
    }

    private void Dropout<T>(Tensor y, Tensor x, double rate, ulong key, long firstRow) where T : unmanaged, INumber<T> => ForRows(x.Rows, 4 * x.Columns, (first, end) =>
    {
        Span<uint> words = stackalloc uint[DrawnWords];
        uint dropped = uint.CreateSaturating(Math.Round(rate * 4294967296.0));
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            for (int from = 0, count; from < xn.Length; from += count)
            {
                (long block, long skipped) = Math.DivRem((firstRow + n) * xn.Length + from, Philox.Block);
                count = (int)Math.Min(DrawnWords - skipped, xn.Length - from);
                Philox.Fill(words[..(int)RoundUp(skipped + count, Philox.Block)], (ulong)block, key);
                Drop(yn.Slice(from, count), xn.Slice(from, count), words[(int)skipped..], dropped, T.CreateTruncating(1 / (1 - rate)));
            }
        }
    });

    /// <summary>y = scale x, and 0 where the word is below <paramref name="dropped"/>.</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void Drop<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<uint> words, uint dropped, T scale) where T : unmanaged, INumber<T>
    {
        Vector512<T> scales = Vector512.Create(scale);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            Vector512<T> kept = typeof(T) == typeof(float)
                ? Vector512.GreaterThanOrEqual(Vector512.Create(words[i..]), Vector512.Create(dropped)).As<uint, T>()
                : Vector512.GreaterThanOrEqual(Widen(Vector256.Create(words[i..])), Vector512.Create((ulong)dropped)).As<ulong, T>();
            (Vector512.Create(x[i..]) * scales & kept).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++)
        {
            y[i] = words[i] < dropped ? T.Zero : x[i] * scale;
        }

        static Vector512<ulong> Widen(Vector256<uint> v) => Vector512.WidenLower(v.ToVector512Unsafe());
    }
}
