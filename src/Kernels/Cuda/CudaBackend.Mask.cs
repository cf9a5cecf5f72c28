namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype ZeroMaskedKernel = new("zero_masked_update(real* y, int ldy, const int* mask, int rows, int columns)");

    /// <inheritdoc/>
    public void ZeroMasked(Tensor y, Tensor mask)
    {
        Check.ZeroMasked(this, y, mask);
        Launch(y.DType, ZeroMaskedKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, mask, y.Rows, y.Columns);
    }
}
