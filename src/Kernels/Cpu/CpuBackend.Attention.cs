using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
        using Tensor probabilities = Alloc(q.DType, new Shape(q.Shape[0] * dims.KvHeads, group, keys));
        ForRows(probabilities.Shape[0], (long)group * keys * headDim / 4, (first, end) =>
        {
            for (long task = first; task < end; task++)
            {
                (long batch, long kvHead) = Math.DivRem(task, dims.KvHeads);
                long column = kvHead * headDim;
                T* p = (T*)probabilities.Address + task * group * keys; // (group, keys)
                T* qb = (T*)q.Address + batch * q.RowStride + column * group, yb = (T*)y.Address + batch * y.RowStride + column * group;
                T* kb = (T*)k.Address + batch * k.Shape[1] * k.RowStride + column, vb = (T*)v.Address + batch * v.Shape[1] * v.RowStride + column;
                for (int g = 0; g < group; g++)
                {
                    var row = new Span<T>(p + (long)g * keys, keys);
                    ScoresOfSeen(row, qb + g * headDim, kb, k.RowStride, headDim, dims.Scale, mask is null ? default : mask.Row<int>(batch));
                    T max = RowReduce.Max<T>(row);
                    double sum = RowReduce.Exp(row, row, T.IsNegativeInfinity(max) ? T.Zero : max);
                    TensorPrimitives.Multiply(row, T.CreateTruncating(sum == 0 ? 0 : 1 / sum), row);
                }

                GemmKernels.Run(group, headDim, keys, T.One, p, keys, false, vb, v.RowStride, false, T.Zero, yb, headDim);
            }
        });
    }

    /// <summary>scores[j] = scale q k[j]; negative infinity where the mask, if there is one, is 0.</summary>
    [MethodImpl(InnerLoop.Options)]
    private static unsafe void ScoresOfSeen<T>(Span<T> scores, T* q, T* k, long kStride, int headDim, double scale, ReadOnlySpan<int> mask)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int whole = headDim & -Vector512<T>.Count;
        for (int j = 0; j < scores.Length; j++, k += kStride)
        {
            if (!mask.IsEmpty && mask[j] == 0)
            {
                scores[j] = T.NegativeInfinity;
                continue;
            }

            Vector512<T> products = Vector512<T>.Zero;
            for (int c = 0; c < whole; c += Vector512<T>.Count)
            {
                products = Simd512<T>.MultiplyAdd(Vector512.Load(q + c), Vector512.Load(k + c), products);
            }

            T dot = Vector512.Sum(products);
            for (int c = whole; c < headDim; c++)
            {
                dot += q[c] * k[c];
            }

            scores[j] = T.CreateTruncating(scale) * dot;
        }
    }
}
