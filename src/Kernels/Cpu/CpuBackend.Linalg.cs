namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public unsafe void SymEig(Tensor values, Tensor vectors, Tensor a)
    {
        Check.SymEig(values, vectors, a);
        long n = a.Rows;
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
        Check.Qr(q, a);
        using Tensor work = Alloc(DType.F64, new Shape(LinalgQr.WorkSize(a.Rows)));
        LinalgQr.Run(team, a.Rows, (double*)q.Address, q.RowStride, (double*)a.Address, a.RowStride, (double*)work.Address);
    }

    /// <inheritdoc/>
    public unsafe void CholeskySolve(Tensor b, Tensor a)
    {
        Check.CholeskySolve(b, a);
        using Tensor work = Alloc(DType.F64, new Shape(LinalgCholesky.WorkSize(b.Rows, a.Rows)));
        long minor = LinalgCholesky.Solve(team, b.Rows, a.Rows, (double*)b.Address, b.RowStride, (double*)a.Address, a.RowStride, (double*)work.Address);
        Check.PositiveDefinite(minor, a);
    }
}
