namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private const long StagedBytes = 64 << 20; // of the rows that move at a time

    private static readonly KernelPrototype AddRowSaliencyKernel = new(
        "add_row_saliency_update(double* scores, const real* w, int ldw, const acc* g, int ldg, const acc* h, int ldh, int rows, int columns, int saliency)");

    private static readonly KernelPrototype ColumnSaliencyKernel = new(
        "column_saliency_forward(double* parts, const real* w, int ldw, const acc* g, int ldg, const acc* h, int ldh, int rows, int columns, int saliency)");

    private static readonly KernelPrototype AddColumnSaliencyKernel = new(
        "add_column_saliency_update(double* scores, const double* parts, int count, int columns)");

    private static readonly KernelPrototype AddSquaresKernel = new(
        "add_squares_update(acc* y, int ldy, const real* x, int ldx, int rows, int columns, acc scale)");

    private static readonly KernelPrototype GatherColumnsKernel = new(
        "gather_columns_forward(real* y, int ldy, const real* x, int ldx, const int* indices, int rows, int columns)");

    /// <inheritdoc/>
    public void AddSaliency(Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns)
    {
        Check.AddSaliency(this, scores, w, g, h, saliency, columns);
        long ldg = g?.RowStride ?? 0, ldh = h?.RowStride ?? 0;
        if (!columns)
        {
            Grid grid = grids.Rows(w.DType, w.Rows, w.Columns);
            Launch(w.DType, AddRowSaliencyKernel, grid, scores, w, w.RowStride, g, ldg, h, ldh, w.Rows, w.Columns, (int)saliency);
            return;
        }

        using Tensor parts = Parts(w);
        Launch(
            w.DType, ColumnSaliencyKernel, Grids.Columns(w.Columns, parts.Rows), parts, w, w.RowStride, g, ldg, h, ldh, w.Rows, w.Columns, (int)saliency);
        Launch(w.DType, AddColumnSaliencyKernel, grids.Elements(DType.F64, 1, w.Columns), scores, parts, parts.Rows, parts.Columns);
    }

    /// <inheritdoc/>
    public void AddSquares(Tensor y, Tensor x, double scale)
    {
        Check.AddSquares(this, y, x);
        Launch(x.DType, AddSquaresKernel, grids.Elements(x.DType, y.Rows, y.Columns), y, y.RowStride, x, x.RowStride, y.Rows, y.Columns, scale);
    }

    /// <inheritdoc/>
    public void KeepRows(Tensor x, Tensor kept)
    {
        Check.Keep(Op.KeepRows, x, kept);
        CheckAscending(Op.KeepRows, kept, x.Rows);
        indices.Forget(x.Address, x.Bytes);

        // No block reads what another writes: rows pass through a buffer. A row never moves behind one that is still to be read.
        Move(x, kept.Columns, x.Columns, (buffer, from) =>
            (GatherRowsKernel, x, kept.ColumnRange(from, buffer.Rows), x.RowRange(from, buffer.Rows)));
    }

    /// <inheritdoc/>
    public void KeepColumns(Tensor x, Tensor kept)
    {
        Check.Keep(Op.KeepColumns, x, kept);
        CheckAscending(Op.KeepColumns, kept, x.Columns);
        indices.Forget(x.Address, x.Bytes);
        Move(x, x.Rows, kept.Columns, (buffer, from) =>
            (GatherColumnsKernel, x.RowRange(from, buffer.Rows), kept, x.RowRange(from, buffer.Rows).ColumnRange(0, kept.Columns)));
    }

    /// <summary>Gathers <paramref name="rows"/> rows of <paramref name="columns"/> in a buffer, as many as it holds at a time, and puts them in their place.</summary>
    private void Move(Tensor x, long rows, long columns, Func<Tensor, long, (KernelPrototype Gather, Tensor From, Tensor Indices, Tensor To)> part)
    {
        if (rows == 0 || columns == 0)
        {
            return;
        }

        DType dtype = FloatOfSize(x.DType);
        long atOnce = Math.Clamp(StagedBytes / (columns * dtype.Size()), 1, rows);
        using Tensor staging = Alloc(x.DType, new Shape(atOnce, columns));
        for (long from = 0; from < rows; from += atOnce)
        {
            Tensor buffer = staging.RowRange(0, Math.Min(atOnce, rows - from));
            (KernelPrototype gather, Tensor source, Tensor chosen, Tensor to) = part(buffer, from);
            Launch(
                dtype, gather, grids.Elements(dtype, buffer.Rows, columns), buffer, buffer.RowStride, source, source.RowStride, chosen, buffer.Rows, columns);
            Copy(to, buffer);
        }
    }
}
