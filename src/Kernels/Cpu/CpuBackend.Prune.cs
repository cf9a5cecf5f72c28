using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void AddSaliency(Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns)
    {
        Check.AddSaliency(this, scores, w, g, h, saliency, columns);
        switch (w.DType)
        {
            case DType.F32:
                AddSaliency<float, float>(scores, w, g, h, saliency, columns);
                break;
            case DType.F64:
                AddSaliency<double, double>(scores, w, g, h, saliency, columns);
                break;
            default:
                AddSaliency<ushort, float>(scores, w, g, h, saliency, columns);
                break;
        }
    }

    /// <inheritdoc/>
    public void AddSquares(Tensor y, Tensor x, double scale)
    {
        Check.AddSquares(this, y, x);
        if (y.DType == DType.F32)
        {
            AddSquares<float>(y, x, scale);
        }
        else
        {
            AddSquares<double>(y, x, scale);
        }
    }

    /// <inheritdoc/>
    public unsafe void KeepRows(Tensor x, Tensor kept)
    {
        Check.Keep(Op.KeepRows, x, kept);
        Check.Ascending(Op.KeepRows, kept, x.Rows);
        long size = x.DType.Size(), stride = x.RowStride * size;
        ForColumns(kept.Shape.Count, x.Columns, (first, end) =>
        {
            ReadOnlySpan<int> rows = kept.AsSpan<int>();
            byte* column = (byte*)x.Address + first * size;
            long bytes = (end - first) * size;
            for (int i = 0; i < rows.Length; i++)
            {
                Buffer.MemoryCopy(column + rows[i] * stride, column + i * stride, bytes, bytes);
            }
        });
    }

    /// <inheritdoc/>
    public void KeepColumns(Tensor x, Tensor kept)
    {
        Check.Keep(Op.KeepColumns, x, kept);
        Check.Ascending(Op.KeepColumns, kept, x.Columns);
        switch (x.DType.Size())
        {
            case 2:
                KeepColumns<ushort>(x, kept);
                break;
            case 4:
                KeepColumns<uint>(x, kept);
                break;
            default:
                KeepColumns<ulong>(x, kept);
                break;
        }
    }

    private void AddSaliency<TWeight, T>(Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns)
        where TWeight : unmanaged
        where T : unmanaged
    {
        switch (saliency)
        {
            case Saliency.Magnitude:
                AddSaliency<TWeight, T, Magnitude>(scores, w, g, h, columns);
                break;
            case Saliency.Square:
                AddSaliency<TWeight, T, Square>(scores, w, g, h, columns);
                break;
            case Saliency.FirstOrder:
                AddSaliency<TWeight, T, FirstOrder>(scores, w, g, h, columns);
                break;
            case Saliency.Signed:
                AddSaliency<TWeight, T, Signed>(scores, w, g, h, columns);
                break;
            case Saliency.SecondOrder:
                AddSaliency<TWeight, T, SecondOrder>(scores, w, g, h, columns);
                break;
            case Saliency.Mixed:
                AddSaliency<TWeight, T, Mixed>(scores, w, g, h, columns);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(saliency), saliency, "unknown saliency");
        }
    }

    /// <summary>The absolute value of every sum is added: only the signed saliency has sums that are negative.</summary>
    private void AddSaliency<TWeight, T, TSaliency>(Tensor scores, Tensor w, Tensor? g, Tensor? h, bool columns)
        where TWeight : unmanaged
        where T : unmanaged
        where TSaliency : struct, ISaliency
    {
        if (!columns)
        {
            ForRows(w.Rows, 4 * w.Columns, (first, end) =>
            {
                Span<double> score = scores.AsSpan<double>();
                for (long n = first; n < end; n++)
                {
                    score[(int)n] += Math.Abs(SaliencySums<TWeight, T, TSaliency>.OfRow(w.Row<TWeight>(n), Row(g, n), Row(h, n)));
                }
            });
            return;
        }

        using Tensor sums = SumRows(w.Rows, w.Columns, (first, end, part) =>
        {
            for (long n = first; n < end; n++)
            {
                SaliencySums<TWeight, T, TSaliency>.AddColumns(part, w.Row<TWeight>(n), Row(g, n), Row(h, n));
            }
        });
        Span<double> total = sums.Row<double>(0)[..(int)w.Columns];
        foreach (ref double sum in total)
        {
            sum = Math.Abs(sum);
        }

        AddSums(scores, total);

        static ReadOnlySpan<T> Row(Tensor? x, long n) => x is null ? [] : x.Row<T>(n);
    }

    private void AddSquares<T>(Tensor y, Tensor x, double scale) where T : unmanaged, INumber<T> => ForRows(x.Rows, 2 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            AddSquares(y.Row<T>(n), x.Row<T>(n), T.CreateTruncating(scale));
        }
    });

    [MethodImpl(InnerLoop.Options)]
    private static void AddSquares<T>(Span<T> y, ReadOnlySpan<T> x, T scale) where T : unmanaged, INumber<T>
    {
        Vector512<T> scales = Vector512.Create(scale);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            Vector512<T> v = Vector512.Create(x[i..]);
            Simd512<T>.MultiplyAdd(v * v, scales, Vector512.Create<T>(y[i..])).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++)
        {
            y[i] += scale * x[i] * x[i];
        }
    }

    private void KeepColumns<T>(Tensor x, Tensor kept) where T : unmanaged => ForRows(x.Rows, kept.Shape.Count, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Gather(x.Row<T>(n), kept.AsSpan<int>());
        }
    });

    /// <summary>x[i] = x[kept[i]], which ascends.</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void Gather<T>(Span<T> x, ReadOnlySpan<int> kept) where T : unmanaged
    {
        for (int i = 0; i < kept.Length; i++)
        {
            x[i] = x[kept[i]];
        }
    }
}
