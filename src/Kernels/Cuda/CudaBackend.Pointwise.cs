namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype AddBiasKernel = new("add_bias_update(real* y, int ldy, const real* b, int rows, int columns)");
    private static readonly KernelPrototype AddKernel = new("add_update(real* y, int ldy, const real* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype ColumnSumsKernel = new("column_sums_forward(double* parts, const real* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype AddPartsKernel = new("add_parts_update(acc* b, const double* parts, int count, int columns)");

    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor b)
    {
        Check.AddBias(this, y, b);
        Launch(y.DType, AddBiasKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, b, y.Rows, y.Columns);
    }

    /// <inheritdoc/>
    public void Add(Tensor y, Tensor x)
    {
        Check.Add(this, y, x);
        Launch(y.DType, AddKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, x, x.RowStride, y.Rows, y.Columns);
    }

    /// <inheritdoc/>
    public void AddColumnSums(Tensor b, Tensor x)
    {
        Check.AddColumnSums(this, b, x);
        using Tensor parts = Parts(x);
        Launch(x.DType, ColumnSumsKernel, Grids.Columns(x.Columns, parts.Rows), parts, x, x.RowStride, x.Rows, x.Columns);
        AddParts(b, parts);
    }

    /// <summary>Room for sums of the columns of <paramref name="x"/> over parts of its rows, without gaps.</summary>
    private Tensor Parts(Tensor x)
    {
        long parts = Grids.Parts(x.Rows);
        Tensor flat = Alloc(DType.F64, new Shape(parts * x.Columns));
        return new Tensor(flat.Address, DType.F64, new Shape(parts, x.Columns), x.Columns, _ => flat.Dispose());
    }

    private void AddParts(Tensor b, Tensor parts) =>
        Launch(b.DType, AddPartsKernel, grids.Elements(b.DType, 1, parts.Columns), b, parts, parts.Rows, parts.Columns);
}
