using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.Attention(this, y, logSumExp, q, k, v, mask, first, dims);
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
        Check.AttentionBackward(this, dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        if (q.DType == DType.F32)
        {
            AttentionBackward<float>(dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        }
        else
        {
            AttentionBackward<double>(dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        }
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
