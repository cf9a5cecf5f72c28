namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype ActivateKernel = new(
        "activate_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns, int activation)");

    private static readonly KernelPrototype ActivateGatedKernel = new(
        "activate_gated_forward(real* y, int ldy, const real* gate, int ldg, const real* up, int ldu, int rows, int columns, int activation)");

    private static readonly KernelPrototype ActivateBackwardKernel = new(
        "activate_backward(real* dx, int lddx, const real* dy, int lddy, const real* x, int ldx, int rows, int columns, int activation)");

    private static readonly KernelPrototype ActivateGatedBackwardKernel = new(
        "activate_gated_backward(real* dgate, int lddg, real* dup, int lddu, const real* dy, int lddy, "
        + "const real* gate, int ldg, const real* up, int ldu, int rows, int columns, int activation)");

    /// <inheritdoc/>
    public void Activate(Tensor y, Tensor x, Activation f)
    {
        Check.Activate(this, y, x);
        Launch(y.DType, ActivateKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, x, x.RowStride, y.Rows, y.Columns, (int)f);
    }

    /// <inheritdoc/>
    public void ActivateGated(Tensor y, Tensor gate, Tensor up, Activation f)
    {
        Check.ActivateGated(this, y, gate, up);
        Launch(
            y.DType, ActivateGatedKernel, grids.Elements(y.DType, y.Rows, y.Columns),
            y, y.RowStride, gate, gate.RowStride, up, up.RowStride, y.Rows, y.Columns, (int)f);
    }

    /// <inheritdoc/>
    public void ActivateBackward(Tensor dx, Tensor dy, Tensor x, Activation f)
    {
        Check.ActivateBackward(this, dx, dy, x);
        Launch(
            x.DType, ActivateBackwardKernel, grids.Elements(x.DType, x.Rows, x.Columns),
            dx, dx.RowStride, dy, dy.RowStride, x, x.RowStride, x.Rows, x.Columns, (int)f);
    }

    /// <inheritdoc/>
    public void ActivateGatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f)
    {
        Check.ActivateGatedBackward(this, dgate, dup, dy, gate, up);
        Launch(
            dy.DType, ActivateGatedBackwardKernel, grids.Elements(dy.DType, dy.Rows, dy.Columns),
            dgate, dgate.RowStride, dup, dup.RowStride, dy, dy.RowStride, gate, gate.RowStride, up, up.RowStride, dy.Rows, dy.Columns, (int)f);
    }
}
