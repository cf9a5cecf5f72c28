using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private const int StepKeys = 256, MostStepParts = 64; // of a decoding step

    private static readonly KernelPrototype AttentionKernel = new(
        "attention_forward(real* y, int ldy, acc* log_sum_exp, int ldl, const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, "
        + "const int* mask, int ldm, const int* first, int ldf, int queries, int keys, int capacity, int heads, int kv_heads, acc scale)");

    private static readonly KernelPrototype AttentionStepKernel = new(
        "attention_step_forward(real* y, acc* log_sum_exp, const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, "
        + "const int* mask, int ldm, const int* first, int ldf, int keys, int capacity, int heads, int kv_heads, acc scale)");

    private static readonly KernelPrototype AttentionMergeKernel = new(
        "attention_merge_forward(real* y, int ldy, acc* log_sum_exp, int ldl, const real* y_parts, const acc* log_sum_exp_parts, "
        + "int parts, int batch, int heads)");

    private static readonly KernelPrototype AttentionDeltaKernel = new(
        "attention_delta_backward(acc* delta, int ldd, const real* dy, int lddy, const real* y, int ldy, int batch, int queries, int heads)");

    private static readonly KernelPrototype AttentionKeysBackwardKernel = new(
        "attention_keys_backward(real* dk, int lddk, real* dv, int lddv, const real* dy, int lddy, const acc* log_sum_exp, int ldl, const acc* delta, int ldd, "
        + "const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, const int* mask, int ldm, const int* first, int ldf, "
        + "int keys, int heads, int kv_heads, acc scale)");

    private static readonly KernelPrototype AttentionQueriesBackwardKernel = new(
        "attention_queries_backward(real* dq, int lddq, const real* dy, int lddy, const acc* log_sum_exp, int ldl, const acc* delta, int ldd, "
        + "const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, const int* mask, int ldm, const int* first, int ldf, "
        + "int keys, int heads, int kv_heads, acc scale)");

    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.Attention(this, y, logSumExp, q, k, v, mask, first, dims);
        KernelModule module = AttentionModule(Op.Attention, q, dims);
        (long batch, long queries, long capacity) = (q.Shape[0], q.Shape[1], k.Shape[1]);
        if (queries == 1 && dims.Heads / dims.KvHeads <= module.AttentionTile)
        {
            AttentionStep(module, y, logSumExp, q, k, v, mask, first, dims);
            return;
        }

        Extents blocks = new((uint)Grids.Ceiling(queries, module.AttentionTile), (uint)dims.Heads, (uint)batch);
        kernels.Launch(
            module, AttentionKernel, blocks, module.AttentionThreads,
            y, y.RowStride, logSumExp, logSumExp?.RowStride ?? 0, q, q.RowStride, k, k.RowStride, v, v.RowStride, mask, mask?.RowStride ?? 0, first, first?.RowStride ?? 0, queries, dims.Keys, capacity, dims.Heads, dims.KvHeads, dims.Scale);
    }

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        Check.AttentionBackward(this, dq, dk, dv, dy, y, logSumExp, q, k, v, mask, first, dims);
        KernelModule module = AttentionModule(Op.AttentionBackward, q, dims);
        long batch = q.Shape[0], ldm = mask?.RowStride ?? 0, ldf = first?.RowStride ?? 0;
        uint tiles = (uint)Grids.Ceiling(dims.Keys, module.AttentionTile);
        using Tensor delta = Alloc(logSumExp.DType, logSumExp.Shape);
        kernels.Launch(
            module, AttentionDeltaKernel, grids.Elements(q.DType, batch * dims.Keys, 32L * dims.Heads).Blocks, Grids.MaxThreads,
            delta, delta.RowStride, dy, dy.RowStride, y, y.RowStride, batch, dims.Keys, dims.Heads);
        kernels.Launch(
            module, AttentionKeysBackwardKernel, new(tiles, (uint)dims.KvHeads, (uint)batch), module.AttentionThreads,
            dk, dk.RowStride, dv, dv.RowStride, dy, dy.RowStride, logSumExp, logSumExp.RowStride, delta, delta.RowStride,
            q, q.RowStride, k, k.RowStride, v, v.RowStride, mask, ldm, first, ldf, dims.Keys, dims.Heads, dims.KvHeads, dims.Scale);
        kernels.Launch(
            module, AttentionQueriesBackwardKernel, new(tiles, (uint)dims.Heads, (uint)batch), module.AttentionThreads,
            dq, dq.RowStride, dy, dy.RowStride, logSumExp, logSumExp.RowStride, delta, delta.RowStride,
            q, q.RowStride, k, k.RowStride, v, v.RowStride, mask, ldm, first, ldf, dims.Keys, dims.Heads, dims.KvHeads, dims.Scale);
    }

    /// <summary>One query per sequence: the keys are cut into parts, so that there is work for the whole device.</summary>
    private void AttentionStep(
        KernelModule module, Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        long batch = q.Shape[0], parts = Math.Min(Grids.Ceiling(dims.Keys, StepKeys), MostStepParts);
        using Tensor yParts = Alloc(q.DType, new Shape(parts * batch * q.Columns)), logParts = Alloc(q.DType.Accumulator(), new Shape(parts * batch * dims.Heads));
        kernels.Launch(
            module, AttentionStepKernel, new((uint)parts, (uint)dims.KvHeads, (uint)batch), module.AttentionThreads,
            yParts, logParts, q, q.RowStride, k, k.RowStride, v, v.RowStride, mask, mask?.RowStride ?? 0, first, first?.RowStride ?? 0,
            dims.Keys, k.Shape[1], dims.Heads, dims.KvHeads, dims.Scale);
        kernels.Launch(
            module, AttentionMergeKernel, grids.Elements(q.DType, batch * dims.Heads, dims.HeadDim).Blocks, Grids.MaxThreads,
            y, y.RowStride, logSumExp, logSumExp?.RowStride ?? 0, yParts, logParts, parts, batch, dims.Heads);
    }

    private KernelModule AttentionModule(Op op, Tensor q, AttentionDims dims)
    {
        Check.That(dims.HeadDim <= LargestHead, op, $"a GPU attends with heads of at most {LargestHead}", q);
        return new KernelModule(q.DType, dims.HeadDim);
    }
}
