using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Rope(Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim, bool back = false)
    {
        Check.Rope(this, x, cos, sin, positions, headDim);
        Check.InRange(Op.Rope, positions, 0, cos.Rows);
        if (x.DType == DType.F32)
        {
            Rope<float>(x, cos, sin, positions, headDim, back ? -1 : 1);
        }
        else
        {
            Rope<double>(x, cos, sin, positions, headDim, back ? -1 : 1);
        }
    }

    private void Rope<T>(Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim, T direction)
        where T : unmanaged, INumber<T> => ForRows(x.Rows, 3 * x.Columns, (first, end) =>
    {
        int half = (int)cos.Columns;
        ReadOnlySpan<int> position = positions.AsSpan<int>();
        for (long n = first; n < end; n++)
        {
            Span<T> row = x.Row<T>(n);
            ReadOnlySpan<T> c = cos.Row<T>(position[(int)n]), s = sin.Row<T>(position[(int)n]);
            for (int head = 0; head < row.Length; head += headDim)
            {
                Rotate(row.Slice(head, half), row.Slice(head + half, half), c, s, direction);
            }
        }
    });

    /// <summary>(a, b) = (a cos - b sin, b cos + a sin), element by element, with direction * sin.</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void Rotate<T>(Span<T> a, Span<T> b, ReadOnlySpan<T> cos, ReadOnlySpan<T> sin, T direction) where T : unmanaged, INumber<T>
    {
        int i = 0;
        for (; i <= a.Length - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            Vector256<T> c = Vector256.Create(cos[i..]), s = Vector256.Create(sin[i..]) * direction;
            Vector256<T> x = Vector256.Create<T>(a[i..]), y = Vector256.Create<T>(b[i..]);
            (x * c - y * s).CopyTo(a[i..]);
            (y * c + x * s).CopyTo(b[i..]);
        }

        for (; i < a.Length; i++)
        {
            T s = sin[i] * direction;
            (a[i], b[i]) = (a[i] * cos[i] - b[i] * s, b[i] * cos[i] + a[i] * s);
        }
    }
}
