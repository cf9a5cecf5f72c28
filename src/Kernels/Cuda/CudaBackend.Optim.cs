namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype SumOfSquaresKernel = new("sum_of_squares_forward(double* parts, const real* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype SumKernel = new("sum_forward(double* y, const double* parts, int count)");

    private static readonly KernelPrototype AdamWKernel = new(
        "adamw_update(real* w, int ldw, const real* g, int ldg, real* m, int ldm, real* v, int ldv, int rows, int columns, "
        + "acc gradient_scale, acc weight1, acc decay2, acc weight2, acc shrink, acc rate, acc correction2, acc eps)");

    /// <inheritdoc/>
    public double SumOfSquares(Tensor x)
    {
        Check.SumOfSquares(this, x);
        Grid grid = Grids.Sums(x.DType, x.Rows, x.Columns);
        using Tensor parts = Alloc(DType.F64, new Shape(grid.Blocks.X)), total = Alloc(DType.F64, new Shape(1));
        Launch(x.DType, SumOfSquaresKernel, grid, parts, x, x.RowStride, x.Rows, x.Columns);
        Launch(x.DType, SumKernel, Grids.One, total, parts, parts.Columns);
        return this.Download<double>(total)[0];
    }

    /// <inheritdoc/>
    public void AdamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step)
    {
        Check.AdamW(this, w, g, m, v, step);
        Launch(
            w.DType, AdamWKernel, grids.Elements(w.DType, w.Rows, w.Columns),
            w, w.RowStride, g, g.RowStride, m, m.RowStride, v, v.RowStride, w.Rows, w.Columns,
            step.GradientScale, 1 - step.Beta1, step.Beta2, 1 - step.Beta2, 1 - step.LearningRate * step.WeightDecay,
            step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)), 1 / Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)), step.Epsilon);
    }
}
