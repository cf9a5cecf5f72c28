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

    private unsafe void Attention<T>(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (q.Shape[1] == 1)
        {
            AttentionStep<T>(y, q, k, v, mask, dims);
            return;
        }

        var layout = new AttentionLayout<T>(GemmTiles<T>.Best, q.Shape[1], dims);
        long batch = q.Shape[0];
        using Tensor packed = Alloc(q.DType, new Shape(batch * dims.KvHeads, layout.PackedCount));
        var blocks = new AttentionBlocks<T>(layout, y, q, k, v, mask, packed);
        ForRows(packed.Rows, layout.PackedCount, blocks.Pack);
        ForRows(batch * dims.Heads * layout.QueryBlocks, layout.WorkPerQueryBlock, blocks.Attend);
    }

    /// <summary>
    /// One query per sequence, as in decoding: nothing is packed, every key and value is read once. The query heads that
    /// share a kv head are neighbours in a row of q, so they are the rows of a small matrix.
    /// </summary>
    private unsafe void AttentionStep<T>(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int headDim = dims.HeadDim, group = dims.Heads / dims.KvHeads, keys = dims.Keys;
        using Tensor scores = Alloc(q.DType, new Shape(q.Shape[0] * dims.KvHeads, group, keys));
        ForRows(scores.Shape[0], (long)group * keys * headDim / 4, (first, end) =>
        {
            for (long task = first; task < end; task++)
            {
                (long batch, long kvHead) = Math.DivRem(task, dims.KvHeads);
                T* p = (T*)scores.Address + task * group * keys; // (group, keys)
                long column = kvHead * headDim;
                T* qb = (T*)q.Address + batch * q.RowStride + column * group, yb = (T*)y.Address + batch * y.RowStride + column * group;
                T* kb = (T*)k.Address + batch * k.Shape[1] * k.RowStride + column, vb = (T*)v.Address + batch * v.Shape[1] * v.RowStride + column;
                GemmKernels.Run(group, keys, headDim, T.CreateTruncating(dims.Scale), qb, headDim, false, kb, k.RowStride, true, T.Zero, p, keys);
                for (int g = 0; g < group; g++)
                {
                    SoftmaxOverSeen(new Span<T>(p + (long)g * keys, keys), mask is null ? default : mask.Row<int>(batch));
                }

                GemmKernels.Run(group, headDim, keys, T.One, p, keys, false, vb, v.RowStride, false, T.Zero, yb, headDim);
            }
        });
    }

    /// <summary>Softmax over the keys that the mask, if there is one, shows; all zero when it shows none.</summary>
    private static void SoftmaxOverSeen<T>(Span<T> scores, ReadOnlySpan<int> mask) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int j = 0; j < mask.Length; j++)
        {
            scores[j] = mask[j] == 0 ? T.NegativeInfinity : scores[j];
        }

        T max = RowReduce.Max<T>(scores);
        double sum = RowReduce.Exp(scores, scores, T.IsNegativeInfinity(max) ? T.Zero : max);
        TensorPrimitives.Multiply(scores, T.CreateTruncating(sum == 0 ? 0 : 1 / sum), scores);
    }
}
