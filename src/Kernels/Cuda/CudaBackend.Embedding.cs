namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private const int EmbeddingColumns = 1024; // of a block

    private static readonly KernelPrototype GatherRowsKernel = new(
        "gather_rows_forward(real* y, int ldy, const real* x, int ldx, const int* indices, int rows, int columns)");

    private static readonly KernelPrototype EmbedKernel = new(
        "embed_forward(acc* y, int ldy, const real* table, int ldt, const int* ids, int rows, int columns)");

    private static readonly KernelPrototype EmbedBackwardKernel = new(
        "embed_backward(acc* dtable, int ldt, const real* dy, int lddy, const int* ids, int rows, int columns)");

    /// <inheritdoc/>
    public void Embed(Tensor y, Tensor table, Tensor ids)
    {
        Check.Embed(this, y, table, ids);
        CheckRange(Op.Embed, ids, 0, table.Rows);
        KernelPrototype kernel = table.DType == y.DType ? GatherRowsKernel : EmbedKernel;
        Launch(table.DType, kernel, grids.Elements(table.DType, y.Rows, y.Columns), y, y.RowStride, table, table.RowStride, ids, y.Rows, y.Columns);
    }

    /// <inheritdoc/>
    public void EmbedBackward(Tensor dtable, Tensor dy, Tensor ids)
    {
        Check.EmbedBackward(this, dtable, dy, ids);
        CheckRange(Op.EmbedBackward, ids, 0, dtable.Rows);
        Grid grid = new(new((uint)dy.Rows, (uint)Grids.Ceiling(dy.Columns, EmbeddingColumns)));
        Launch(dy.DType, EmbedBackwardKernel, grid, dtable, dtable.RowStride, dy, dy.RowStride, ids, dy.Rows, dy.Columns);
    }
}
