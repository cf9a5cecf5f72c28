namespace NativeEngine.Kernels;

/// <summary>What embeddings, positions and attention demand of their arguments.</summary>
internal static partial class Check
{
    /// <summary>Arguments of <see cref="IBackend.Embed"/>.</summary>
    public static void Embed(IBackend backend, Tensor y, Tensor table, Tensor ids)
    {
        SameFloats(backend, Op.Embed, y, IsStoredWeight(backend, table.DType) && y.DType == DType.F32 ? null : table);
        That(y.Columns == table.Columns, Op.Embed, "y and the table must have the same columns", y, table);
        OnePerRow(Op.Embed, y, ids);
    }

    /// <summary>Arguments of <see cref="IBackend.EmbedBackward"/>.</summary>
    public static void EmbedBackward(IBackend backend, Tensor dtable, Tensor dy, Tensor ids)
    {
        SameFloats(backend, Op.EmbedBackward, dy);
        Accumulators(Op.EmbedBackward, dy, dtable);
        That(dtable.Columns == dy.Columns, Op.EmbedBackward, "the table and dy must have the same columns", dtable, dy);
        OnePerRow(Op.EmbedBackward, dy, ids);
    }

    /// <summary>Arguments of <see cref="IBackend.Rope"/>.</summary>
    public static void Rope(IBackend backend, Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim)
    {
        SameFloats(backend, Op.Rope, x);
        Accumulators(Op.Rope, x, cos, sin);
        SameSize(Op.Rope, cos, sin);
        That(headDim > 0 && x.Columns % headDim == 0, Op.Rope, $"the columns must be heads of {headDim}", x);
        That(2 * cos.Columns <= headDim, Op.Rope, $"a head of {headDim} must hold two halves of the rotated dimensions", x, cos);
        OnePerRow(Op.Rope, x, positions);
    }

    /// <summary>Arguments of <see cref="IBackend.Attention"/>.</summary>
    public static void Attention(IBackend backend, Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        SameFloats(backend, Op.Attention, y, q, k, v);
        Accumulators(Op.Attention, q, logSumExp);
        SameSize(Op.Attention, y, q);
        SameSize(Op.Attention, k, v);
        AttentionSizes(Op.Attention, logSumExp, q, k, v, mask, first, dims);
    }

    /// <summary>Arguments of <see cref="IBackend.AttentionBackward"/>.</summary>
    public static void AttentionBackward(
        IBackend backend, Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        SameFloats(backend, Op.AttentionBackward, dq, dk, dv, dy, y, q, k, v);
        Accumulators(Op.AttentionBackward, q, logSumExp);
        SameSize(Op.AttentionBackward, dq, dy, y, q);
        SameSize(Op.AttentionBackward, dk, dv, k, v);
        AttentionSizes(Op.AttentionBackward, logSumExp, q, k, v, mask, first, dims);
        That(
            q.Shape[1] == dims.Keys && k.Shape[1] == dims.Keys,
            Op.AttentionBackward, $"there must be as many queries as keys in use ({dims.Keys}) and no more rows of keys", q, k);
    }

    private static void AttentionSizes(Op op, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        That(
            q.Shape.Rank == 3 && k.Shape.Rank == 3 && v.Shape.Rank == 3 && q.Shape[0] == k.Shape[0] && q.Shape[0] == v.Shape[0],
            op, "q, k and v must be (batch, position, heads x head size) with one batch size", q, k, v);
        That(
            dims.KvHeads > 0 && dims.HeadDim > 0 && dims.Heads % dims.KvHeads == 0
                && q.Columns == (long)dims.Heads * dims.HeadDim && k.Columns == (long)dims.KvHeads * dims.HeadDim,
            op, $"the columns must be {dims.Heads} query heads and {dims.KvHeads} kv heads of {dims.HeadDim}", q, k, v);
        That(
            q.Shape[1] <= dims.Keys && dims.Keys <= k.Shape[1],
            op, $"queries <= keys in use ({dims.Keys}) <= rows of the cache must hold", q, k, v);
        That(
            logSumExp is null || logSumExp.Shape == new Shape(q.Shape[0], dims.Heads, q.Shape[1]),
            op, $"logSumExp must be (batch, {dims.Heads} heads, queries)", q, logSumExp);
        That(
            mask is null || (mask.DType == DType.I32 && mask.Rows == q.Shape[0] && mask.Columns == dims.Keys),
            op, $"the mask must be I32(batch, {dims.Keys})", q, mask);
        That(
            first is null || (first.DType == DType.I32 && first.Rows == q.Shape[0] && first.Columns == q.Shape[1]),
            op, "first must be I32(batch, queries)", q, first);
    }
}
