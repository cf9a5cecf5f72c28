using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
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

    /// <summary>One query per sequence, as in decoding: nothing is packed, every key and value is read once.</summary>
    private void AttentionStep<T>(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long batch = q.Shape[0];
        var step = new AttentionStep<T>(y, q, k, v, mask, dims);
        using Tensor partials = Alloc(q.DType, new Shape(batch * step.Tasks, step.PartialCount));
        using Tensor weights = Alloc(DType.F64, new Shape(batch * step.Tasks, step.WeightCount));
        step.Use(partials, weights);
        team.For(batch * step.Tasks, step.Attend);
        for (long i = 0; i < batch; i++)
        {
            step.Merge(i);
        }
    }
}
