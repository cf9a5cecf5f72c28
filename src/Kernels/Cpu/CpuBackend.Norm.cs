using System.Numerics;
using System.Numerics.Tensors;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor y, Tensor x, Tensor? gain, double eps, long width)
    {
        Check.RmsNorm(this, y, x, gain, width);
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
        Check.LayerNorm(this, y, x, gain, bias);
        if (x.DType == DType.F32)
        {
            LayerNorm<float>(y, x, gain, bias, eps);
        }
        else
        {
            LayerNorm<double>(y, x, gain, bias, eps);
        }
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, double eps, long width)
    {
        Check.RmsNormBackward(this, dx, dgain, dy, x, gain, width);
        if (x.DType == DType.F32)
        {
            NormBackward<float>(dx, dgain, null, dy, x, gain, eps, width, centered: false);
        }
        else
        {
            NormBackward<double>(dx, dgain, null, dy, x, gain, eps, width, centered: false);
        }
    }

    /// <inheritdoc/>
    public void LayerNormBackward(Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain, double eps)
    {
        Check.LayerNormBackward(this, dx, dgain, dbias, dy, x, gain);
        if (x.DType == DType.F32)
        {
            NormBackward<float>(dx, dgain, dbias, dy, x, gain, eps, x.Columns, centered: true);
        }
        else
        {
            NormBackward<double>(dx, dgain, dbias, dy, x, gain, eps, x.Columns, centered: true);
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
            RowMath.Scale(yn, xn, T.CreateTruncating(scale), gain is null ? default : gain.Row<T>(0));
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
            RowMath.Scale(yn, yn, T.CreateTruncating(1 / Math.Sqrt(variance + eps)), gain is null ? default : gain.Row<T>(0));
            if (bias is not null)
            {
                RowMath.Add(yn, bias.Row<T>(0));
            }
        }
    });

    /// <summary>Of both norms: RMSNorm is the one whose mean is zero.</summary>
    private void NormBackward<T>(Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain, double eps, long width, bool centered)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int columns = (int)x.Columns, bias = (int)PaddedColumns(columns); // where the sums of dbias start
        if (dgain is null && dbias is null)
        {
            ForRows(x.Rows, 6 * x.Columns, (first, end) => AddRows(first, end, []));
            return;
        }

        using Tensor sums = SumRows(x.Rows, dbias is null ? columns : bias + columns, AddRows);
        if (dgain is not null)
        {
            AddSums(dgain, sums.Row<double>(0)[..columns]);
        }

        if (dbias is not null)
        {
            AddSums(dbias, sums.Row<double>(0).Slice(bias, columns));
        }

        void AddRows(long first, long end, Span<double> part)
        {
            ReadOnlySpan<T> g = gain is null ? [] : gain.Row<T>(0);
            for (long n = first; n < end; n++)
            {
                ReadOnlySpan<T> xn = x.Row<T>(n), dyn = dy.Row<T>(n);
                double mean = centered ? RowReduce.Sum(xn) / width : 0;
                double scale = 1 / Math.Sqrt(RowReduce.SumOfSquares(xn, mean) / width + eps);
                NormGradient.AddInput(dx.Row<T>(n), dyn, xn, g, mean, scale, width, centered);
                if (dgain is not null)
                {
                    ColumnReduce.AddProduct(part, dyn, xn, mean, scale);
                }

                if (dbias is not null)
                {
                    ColumnReduce.Add(part[bias..], dyn);
                }
            }
        }
    }
}
