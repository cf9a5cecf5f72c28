namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype RopeKernel = new(
        "rope_update(real* x, int ldx, const acc* cos, int ldc, const acc* sin, int lds, const int* positions, "
        + "int rows, int heads, int head_dim, int half, acc direction)");

    /// <inheritdoc/>
    public void Rope(Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim, bool back = false)
    {
        Check.Rope(this, x, cos, sin, positions, headDim);
        CheckRange(Op.Rope, positions, 0, cos.Rows);
        long heads = x.Columns / headDim;
        Launch(
            x.DType, RopeKernel, grids.Elements(x.DType, x.Rows * heads, cos.Columns),
            x, x.RowStride, cos, cos.RowStride, sin, sin.RowStride, positions, x.Rows, heads, headDim, cos.Columns, back ? -1.0 : 1.0);
    }
}
