namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype RmsNormKernel = new(
        "rms_norm_forward(real* y, int ldy, const real* x, int ldx, const real* gain, int rows, int columns, acc width, acc eps)");

    private static readonly KernelPrototype LayerNormKernel = new(
        "layer_norm_forward(real* y, int ldy, const real* x, int ldx, const real* gain, const real* bias, int rows, int columns, acc eps)");

    private static readonly KernelPrototype RmsNormBackwardKernel = new(
        "rms_norm_backward(real* dx, int lddx, acc* moments, const real* dy, int lddy, const real* x, int ldx, const real* gain, "
        + "int rows, int columns, acc width, acc eps)");

    private static readonly KernelPrototype LayerNormBackwardKernel = new(
        "layer_norm_backward(real* dx, int lddx, acc* moments, const real* dy, int lddy, const real* x, int ldx, const real* gain, "
        + "int rows, int columns, acc eps)");

    private static readonly KernelPrototype NormGainBackwardKernel = new(
        "norm_gain_backward(double* parts, const real* dy, int lddy, const real* x, int ldx, const acc* moments, int rows, int columns)");

    /// <inheritdoc/>
    public void RmsNorm(Tensor y, Tensor x, Tensor? gain, double eps, long width)
    {
        Check.RmsNorm(this, y, x, gain, width);
        Launch(x.DType, RmsNormKernel, grids.Rows(x.DType, x.Rows, x.Columns), y, y.RowStride, x, x.RowStride, gain, x.Rows, x.Columns, (double)width, eps);
    }

    /// <inheritdoc/>
    public void LayerNorm(Tensor y, Tensor x, Tensor? gain, Tensor? bias, double eps)
    {
        Check.LayerNorm(this, y, x, gain, bias);
        Launch(x.DType, LayerNormKernel, grids.Rows(x.DType, x.Rows, x.Columns), y, y.RowStride, x, x.RowStride, gain, bias, x.Rows, x.Columns, eps);
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, double eps, long width)
    {
        Check.RmsNormBackward(this, dx, dgain, dy, x, gain, width);
        using Tensor? moments = dgain is null ? null : Moments(x);
        Launch(
            x.DType, RmsNormBackwardKernel, grids.Rows(x.DType, x.Rows, x.Columns),
            dx, dx.RowStride, moments, dy, dy.RowStride, x, x.RowStride, gain, x.Rows, x.Columns, (double)width, eps);
        AddGainGradient(dgain, moments, dy, x);
    }

    /// <inheritdoc/>
    public void LayerNormBackward(Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain, double eps)
    {
        Check.LayerNormBackward(this, dx, dgain, dbias, dy, x, gain);
        using Tensor? moments = dgain is null ? null : Moments(x);
        Launch(
            x.DType, LayerNormBackwardKernel, grids.Rows(x.DType, x.Rows, x.Columns),
            dx, dx.RowStride, moments, dy, dy.RowStride, x, x.RowStride, gain, x.Rows, x.Columns, eps);
        AddGainGradient(dgain, moments, dy, x);
        if (dbias is not null)
        {
            AddColumnSums(dbias, dy);
        }
    }

    /// <summary>Room for mean and scale of every row.</summary>
    private Tensor Moments(Tensor x) => Alloc(x.DType.Accumulator(), new Shape(2 * x.Rows));

    private void AddGainGradient(Tensor? dgain, Tensor? moments, Tensor dy, Tensor x)
    {
        if (dgain is null)
        {
            return;
        }

        using Tensor parts = Parts(x);
        Launch(x.DType, NormGainBackwardKernel, Grids.Columns(x.Columns, parts.Rows), parts, dy, dy.RowStride, x, x.RowStride, moments, x.Rows, x.Columns);
        AddParts(dgain, parts);
    }
}
