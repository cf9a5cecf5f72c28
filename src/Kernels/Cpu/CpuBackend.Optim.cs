using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public double SumOfSquares(Tensor x)
    {
        Check.SumOfSquares(this, x);
        using Tensor sums = Alloc(DType.F64, new Shape(x.Rows));
        if (x.DType == DType.F32)
        {
            SumOfSquares<float>(sums, x);
        }
        else
        {
            SumOfSquares<double>(sums, x);
        }

        return RowReduce.Sum<double>(sums.AsSpan<double>());
    }

    /// <inheritdoc/>
    public void AdamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step)
    {
        Check.AdamW(this, w, g, m, v, step);
        if (w.DType == DType.F32)
        {
            AdamW<float>(w, g, m, v, step);
        }
        else
        {
            AdamW<double>(w, g, m, v, step);
        }
    }

    private void SumOfSquares<T>(Tensor sums, Tensor x) where T : unmanaged, INumber<T> => ForRows(x.Rows, x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            sums.AsSpan<double>()[(int)n] = RowReduce.SumOfSquares(x.Row<T>(n), 0);
        }
    });

    private void AdamW<T>(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step) where T : unmanaged, INumber<T>
    {
        var rule = new AdamWRule<T>(step);
        ForRows(w.Rows, 8 * w.Columns, (first, end) =>
        {
            for (long n = first; n < end; n++)
            {
                rule.Update(w.Row<T>(n), g.Row<T>(n), m.Row<T>(n), v.Row<T>(n));
            }
        });
    }
}
