using System.Numerics;
using System.Numerics.Tensors;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor y, Tensor x, Tensor? gain, double eps, long width)
    {
        Check.SameFloats(Op.RmsNorm, y, x, gain);
        Check.SameSize(Op.RmsNorm, y, x);
        Check.OnePerColumn(Op.RmsNorm, x, gain);
        Check.That(width > 0, Op.RmsNorm, "the width must be positive", x);
        if (x.DType == DType.F32)
        {
            RmsNorm<float>(y, x, gain, eps, width);
        }
        else
        {
            RmsNorm<double>(y, x, gain, eps, width);
        }
    }

    /// <inheritdoc/>
    public void LayerNorm(Tensor y, Tensor x, Tensor? gain, Tensor? bias, double eps)
    {
        Check.SameFloats(Op.LayerNorm, y, x, gain, bias);
        Check.SameSize(Op.LayerNorm, y, x);
        Check.OnePerColumn(Op.LayerNorm, x, gain);
        Check.OnePerColumn(Op.LayerNorm, x, bias);
        if (x.DType == DType.F32)
        {
            LayerNorm<float>(y, x, gain, bias, eps);
        }
        else
        {
            LayerNorm<double>(y, x, gain, bias, eps);
        }
    }

    private void RmsNorm<T>(Tensor y, Tensor x, Tensor? gain, double eps, long width)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 3 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            double scale = 1 / Math.Sqrt(RowReduce.SumOfSquares(xn, 0) / width + eps);
            TensorPrimitives.Multiply(xn, T.CreateTruncating(scale), yn);
            if (gain is not null)
            {
                TensorPrimitives.Multiply(yn, gain.Row<T>(0), yn);
            }
        }
    });

    private void LayerNorm<T>(Tensor y, Tensor x, Tensor? gain, Tensor? bias, double eps)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 5 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            double mean = RowReduce.Sum(xn) / xn.Length;
            double variance = RowReduce.SumOfSquares(xn, mean) / xn.Length;
            TensorPrimitives.Subtract(xn, T.CreateTruncating(mean), yn);
            TensorPrimitives.Multiply(yn, T.CreateTruncating(1 / Math.Sqrt(variance + eps)), yn);
            if (gain is not null)
            {
                TensorPrimitives.Multiply(yn, gain.Row<T>(0), yn);
            }

            if (bias is not null)
            {
                TensorPrimitives.Add(yn, bias.Row<T>(0), yn);
            }
        }
    });
}
