namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype DropoutKernel = new(
        "dropout_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns, unsigned dropped, acc scale, unsigned long long key,"
        + " unsigned long long first_row)");

    /// <inheritdoc/>
    public void Dropout(Tensor y, Tensor x, double rate, ulong key, long firstRow = 0)
    {
        Check.Dropout(this, y, x, rate);
        if (rate == 0)
        {
            Copy(y, x);
            return;
        }

        uint dropped = uint.CreateSaturating(Math.Round(rate * 4294967296.0));
        Launch(
            y.DType, DropoutKernel, grids.Elements(y.DType, y.Rows, y.Columns),
            y, y.RowStride, x, x.RowStride, y.Rows, y.Columns, dropped, 1 / (1 - rate), key, (ulong)firstRow);
    }
}
