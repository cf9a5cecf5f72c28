using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor b)
    {
        Check.AddBias(this, y, b);
        if (y.DType == DType.F32)
        {
            AddBias<float>(y, b);
        }
        else
        {
            AddBias<double>(y, b);
        }
    }

    /// <inheritdoc/>
    public void Add(Tensor y, Tensor x)
    {
        Check.Add(this, y, x);
        if (y.DType == DType.F32)
        {
            Add<float>(y, x);
        }
        else
        {
            Add<double>(y, x);
        }
    }

    /// <inheritdoc/>
    public void AddColumnSums(Tensor b, Tensor x)
    {
        Check.AddColumnSums(this, b, x);
        using Tensor sums = x.DType == DType.F32 ? ColumnSums<float>(x) : ColumnSums<double>(x);
        AddSums(b, sums.Row<double>(0)[..(int)x.Columns]);
    }

    private void AddBias<T>(Tensor y, Tensor b) where T : unmanaged, INumber<T> => ForRows(y.Rows, y.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> row = y.Row<T>(n);
            RowMath.Add(row, b.Row<T>(0));
        }
    });

    private void Add<T>(Tensor y, Tensor x) where T : unmanaged, INumber<T> => ForRows(y.Rows, y.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> row = y.Row<T>(n);
            RowMath.Add(row, x.Row<T>(n));
        }
    });

    private Tensor ColumnSums<T>(Tensor x) where T : unmanaged, INumber<T> => SumRows(x.Rows, x.Columns, (first, end, sums) =>
    {
        for (long n = first; n < end; n++)
        {
            ColumnReduce.Add<T>(sums, x.Row<T>(n));
        }
    });
}
