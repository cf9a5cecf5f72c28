using System.Numerics;
using System.Numerics.Tensors;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
    {
        CheckAttention(y, q, k, v, mask, dims);
        if (q.DType == DType.F32)
        {
            Attention<float>(y, q, k, v, mask, dims);
        }
        else
        {
            Attention<double>(y, q, k, v, mask, dims);
        }
    }

    private static void CheckAttention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
    {
        Check.SameFloats(Op.Attention, y, q, k, v);
        Check.SameSize(Op.Attention, y, q);
        Check.SameSize(Op.Attention, k, v);
        Check.That(
            q.Shape.Rank == 3 && k.Shape.Rank == 3 && v.Shape.Rank == 3 && q.Shape[0] == k.Shape[0] && q.Shape[0] == v.Shape[0],
            Op.Attention, "q, k and v must be (batch, position, heads x head size) with one batch size", q, k, v);
        Check.That(
            dims.KvHeads > 0 && dims.HeadDim > 0 && dims.Heads % dims.KvHeads == 0
                && q.Columns == (long)dims.Heads * dims.HeadDim && k.Columns == (long)dims.KvHeads * dims.HeadDim,
            Op.Attention, $"the columns must be {dims.Heads} query heads and {dims.KvHeads} kv heads of {dims.HeadDim}", q, k, v);
        Check.That(
            q.Shape[1] <= dims.Keys && dims.Keys <= k.Shape[1],
            Op.Attention, $"queries <= keys in use ({dims.Keys}) <= rows of the cache must hold", q, k, v);
        Check.That(
            mask is null || (mask.DType == DType.I32 && mask.Rows == q.Shape[0] && mask.Columns == dims.Keys),
            Op.Attention, $"the mask must be I32(batch, {dims.Keys})", q, mask);
    }

    private void Attention<T>(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long queries = q.Shape[1], capacity = k.Shape[1];
        int headDim = dims.HeadDim, group = dims.Heads / dims.KvHeads;
        ForRows(q.Rows * dims.Heads, (long)dims.Keys * headDim * 2, (first, end) =>
        {
            var p = new T[dims.Keys];
            for (long task = first; task < end; task++)
            {
                (long row, long head) = Math.DivRem(task, dims.Heads);
                (long batch, long query) = Math.DivRem(row, queries);
                int kvColumn = (int)(head / group) * headDim, column = (int)head * headDim;
                int visible = (int)(dims.Keys - queries + query) + 1;
                ReadOnlySpan<T> qn = q.Row<T>(row).Slice(column, headDim);
                ReadOnlySpan<int> shown = mask is null ? default : mask.Row<int>(batch);
                T max = T.NegativeInfinity;
                for (int j = 0; j < visible; j++)
                {
                    p[j] = shown.IsEmpty || shown[j] != 0
                        ? T.CreateTruncating(dims.Scale) * TensorPrimitives.Dot(qn, k.Row<T>(batch * capacity + j).Slice(kvColumn, headDim))
                        : T.NegativeInfinity;
                    max = T.Max(max, p[j]);
                }

                Span<T> yn = y.Row<T>(row).Slice(column, headDim);
                yn.Clear();
                double sum = 0;
                for (int j = 0; j < visible && !T.IsNegativeInfinity(max); j++)
                {
                    T weight = T.Exp(p[j] - max);
                    sum += double.CreateTruncating(weight);
                    TensorPrimitives.MultiplyAdd(v.Row<T>(batch * capacity + j).Slice(kvColumn, headDim), weight, yn, yn);
                }

                TensorPrimitives.Multiply(yn, T.CreateTruncating(sum > 0 ? 1 / sum : sum), yn);
            }
        });
    }
}
