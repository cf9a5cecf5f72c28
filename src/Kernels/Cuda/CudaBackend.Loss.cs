namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype SoftmaxKernel = new("softmax_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns)");

    private static readonly KernelPrototype TokenLogProbKernel = new(
        "token_log_prob_forward(double* y, const real* x, int ldx, const int* targets, int rows, int columns)");

    private static readonly KernelPrototype CrossEntropyKernel = new(
        "cross_entropy_backward(double* loss, real* x, int ldx, const int* targets, int rows, int columns, double factor)");

    /// <inheritdoc/>
    public void Softmax(Tensor y, Tensor x)
    {
        Check.Softmax(this, y, x);
        Launch(x.DType, SoftmaxKernel, grids.Rows(x.DType, x.Rows, x.Columns), y, y.RowStride, x, x.RowStride, x.Rows, x.Columns);
    }

    /// <inheritdoc/>
    public void TokenLogProb(Tensor y, Tensor logits, Tensor targets)
    {
        Check.TokenLogProb(this, y, logits, targets);
        CheckRange(Op.TokenLogProb, targets, int.MinValue, logits.Columns);
        Grid grid = grids.Rows(logits.DType, logits.Rows, logits.Columns);
        Launch(logits.DType, TokenLogProbKernel, grid, y, logits, logits.RowStride, targets, logits.Rows, logits.Columns);
    }

    /// <inheritdoc/>
    public void CrossEntropy(Tensor loss, Tensor logits, Tensor targets, double scale)
    {
        Check.CrossEntropy(this, loss, logits, targets);
        CheckRange(Op.CrossEntropy, targets, int.MinValue, logits.Columns);
        Grid grid = grids.Rows(logits.DType, logits.Rows, logits.Columns);
        Launch(logits.DType, CrossEntropyKernel, grid, loss, logits, logits.RowStride, targets, logits.Rows, logits.Columns, scale);
    }
}
