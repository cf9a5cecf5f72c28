using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.SameFloats(Op.Attention, y, logSumExp, q, k, v);
        Check.SameSize(Op.Attention, y, q);
        Check.SameSize(Op.Attention, k, v);
        CheckAttention(Op.Attention, logSumExp, q, k, v, mask, first, dims);
        if (q.DType == DType.F32)
        {
            Attention<float>(y, logSumExp, q, k, v, mask, first, dims);
        }
        else
        {
            Attention<double>(y, logSumExp, q, k, v, mask, first, dims);
        }
    }

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.SameFloats(Op.AttentionBackward, dq, dk, dv, dy, y, logSumExp, q, k, v);
        Check.SameSize(Op.AttentionBackward, dq, dy, y, q);
        Check.SameSize(Op.AttentionBackward, dk, dv, k, v);
        CheckAttention(Op.AttentionBackward, logSumExp, q, k, v, mask, first, dims);
        Check.That(
            q.Shape[1] == dims.Keys && k.Shape[1] == dims.Keys,
            Op.AttentionBackward, $"there must be as many queries as keys in use ({dims.Keys}) and no more rows of keys", q, k);
        if (q.DType == DType.F32)
        {
            AttentionBackward<float>(dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        }
        else
        {
            AttentionBackward<double>(dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        }
    }

    private static void CheckAttention(Op op, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.That(
            q.Shape.Rank == 3 && k.Shape.Rank == 3 && v.Shape.Rank == 3 && q.Shape[0] == k.Shape[0] && q.Shape[0] == v.Shape[0],
            op, "q, k and v must be (batch, position, heads x head size) with one batch size", q, k, v);
        Check.That(
            dims.KvHeads > 0 && dims.HeadDim > 0 && dims.Heads % dims.KvHeads == 0
                && q.Columns == (long)dims.Heads * dims.HeadDim && k.Columns == (long)dims.KvHeads * dims.HeadDim,
            op, $"the columns must be {dims.Heads} query heads and {dims.KvHeads} kv heads of {dims.HeadDim}", q, k, v);
        Check.That(
            q.Shape[1] <= dims.Keys && dims.Keys <= k.Shape[1],
            op, $"queries <= keys in use ({dims.Keys}) <= rows of the cache must hold", q, k, v);
        Check.That(
            logSumExp is null || logSumExp.Shape == new Shape(q.Shape[0], dims.Heads, q.Shape[1]),
            op, $"logSumExp must be (batch, {dims.Heads} heads, queries)", q, logSumExp);
        Check.That(
            mask is null || (mask.DType == DType.I32 && mask.Rows == q.Shape[0] && mask.Columns == dims.Keys),
            op, $"the mask must be I32(batch, {dims.Keys})", q, mask);
        Check.That(
            first is null || (first.DType == DType.I32 && first.Rows == q.Shape[0] && first.Columns == q.Shape[1]),
            op, "first must be I32(batch, queries)", q, first);
    }

    private void Attention<T>(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (q.Shape[1] == 1)
        {
            AttentionStep<T>(y, logSumExp, q, k, v, mask, first, dims);
            return;
        }

        var layout = new AttentionLayout<T>(GemmTiles<T>.Best, q.Shape[1], dims);
        long batch = q.Shape[0];
        using Tensor packed = Alloc(q.DType, new Shape(batch * dims.KvHeads, layout.PackedCount));
        var blocks = new AttentionBlocks<T>(layout, y, logSumExp, q, k, v, mask, first, packed);
        ForRows(packed.Rows, layout.PackedCount, blocks.Pack);
        ForRows(batch * dims.Heads * layout.QueryBlocks, layout.WorkPerQueryBlock, blocks.Attend);
    }

    /// <summary>One query per sequence, as in decoding: nothing is packed, every key and value is read once.</summary>
    private void AttentionStep<T>(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long batch = q.Shape[0];
        var step = new AttentionStep<T>(y, logSumExp, q, k, v, mask, first, dims);
        using Tensor partials = Alloc(q.DType, new Shape(batch * step.Tasks, step.PartialCount));
        using Tensor weights = Alloc(DType.F64, new Shape(batch * step.Tasks, step.WeightCount));
        step.Use(partials, weights);
        team.For(batch * step.Tasks, step.Attend);
        for (long i = 0; i < batch; i++)
        {
            step.Merge(i);
        }
    }

    private void AttentionBackward<T>(
        Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        // five products where the forward has two: see AttentionLayout.WorkPerQueryBlock
        long work = (long)dims.Keys * dims.Keys * (dims.Heads / dims.KvHeads) * dims.HeadDim * 5 / 8;
        ForRows(q.Shape[0] * dims.KvHeads, work, (from, end) =>
            new AttentionGradient<T>(GemmTiles<T>.Best, dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims).Run(from, end));
    }
}
