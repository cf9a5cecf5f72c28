using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public double SumOfSquares(Tensor x)
    {
        Check.SameFloats(Op.SumOfSquares, x);
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

    private void SumOfSquares<T>(Tensor sums, Tensor x) where T : unmanaged, INumber<T> => ForRows(x.Rows, x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            sums.AsSpan<double>()[(int)n] = RowReduce.SumOfSquares(x.Row<T>(n), 0);
        }
    });
}
