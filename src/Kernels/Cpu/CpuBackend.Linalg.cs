namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public unsafe void SymEig(Tensor values, Tensor vectors, Tensor a)
    {
        CheckSquare(nameof(SymEig), a, vectors);
        long n = a.Rows;
        if (values.DType != DType.F64 || values.Shape.Count != n || !values.IsContiguous)
        {
            throw new ArgumentException($"SymEig: {values} does not hold the eigenvalues of {a}");
        }

        if (n == 0)
        {
            return;
        }

        using Tensor work = Alloc(DType.F64, new Shape(LinalgSymEig.WorkSize(n)));
        LinalgSymEig.Run(
            team, n, (double*)values.Address, (double*)vectors.Address, vectors.RowStride, (double*)a.Address, a.RowStride, (double*)work.Address);
    }

    /// <inheritdoc/>
    public unsafe void Qr(Tensor q, Tensor a)
    {
        CheckSquare(nameof(Qr), a, q);
        using Tensor work = Alloc(DType.F64, new Shape(LinalgQr.WorkSize(a.Rows)));
        LinalgQr.Run(team, a.Rows, (double*)q.Address, q.RowStride, (double*)a.Address, a.RowStride, (double*)work.Address);
    }

    private static void CheckSquare(string op, Tensor a, Tensor result)
    {
        if (a.DType != DType.F64 || result.DType != DType.F64 || a.Shape.Rank != 2 || a.Rows != a.Columns || result.Shape != a.Shape)
        {
            throw new ArgumentException($"{op}: {a} to {result}: F64 matrices (D,D) are needed");
        }
    }
}
