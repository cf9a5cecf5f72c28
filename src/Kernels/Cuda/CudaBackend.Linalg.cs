using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    /// <summary>Why there is no <see cref="SymEigBatched"/>; null where there is.</summary>
    public static string? SymEigBatchedProblem => CuSolverHandle.SymEigBatchedProblem;

    /// <inheritdoc/>
    public void SymEig(Tensor values, Tensor vectors, Tensor a) => SolveEigen(values, vectors, a, solver.SymEigWorkspace, solver.SymEig);

    /// <summary><see cref="SymEig"/> by cuSOLVER's function for batches, which is said to be the faster one for a single matrix too.</summary>
    public void SymEigBatched(Tensor values, Tensor vectors, Tensor a) => SolveEigen(values, vectors, a, solver.SymEigBatchedWorkspace, solver.SymEigBatched);

    private void SolveEigen(
        Tensor values, Tensor vectors, Tensor a, Func<DeviceMatrix, nint, long, SolverWorkspace> workspace,
        Action<DeviceMatrix, nint, long, nint, nint, SolverWorkspace, nint> run)
    {
        Check.SymEig(values, vectors, a);
        long n = a.Rows;
        if (n == 0)
        {
            return;
        }

        DeviceMatrix matrix = Matrix(a);
        int status = Info(workspace(matrix, values.Address, n), (device, host, space, info) => run(matrix, values.Address, n, device, host, space, info));
        if (status != 0)
        {
            throw new EngineException("NE10103", $"SymEig: cuSOLVER finds no eigenvalues of the matrix ({n}, {n}), info {status}")
            {
                Hint = "it holds NaN, infinity or numbers near them: check the model's weights with eval perplexity",
            };
        }

        if (!AllFinite(values))
        {
            throw new EngineException("NE10101", $"SymEig: the matrix ({n}, {n}) holds NaN or infinity")
            {
                Hint = "the model overflows on this text: check its weights with eval perplexity",
            };
        }

        if (vectors.Address != a.Address)
        {
            Copy(vectors, a); // the columns of a column-major matrix are the rows of a row-major one
        }
    }

    /// <inheritdoc/>
    public void Qr(Tensor q, Tensor a)
    {
        Check.Qr(q, a);
        long n = a.Rows;
        if (n == 0)
        {
            return;
        }

        using Tensor columns = Alloc(DType.F64, a.Shape), tau = Alloc(DType.F64, new Shape(n));
        Transpose(columns, a);
        DeviceMatrix matrix = Matrix(columns);
        _ = Info(solver.QrWorkspace(matrix, tau.Address, n), (device, host, space, info) => // every matrix has one
            solver.Qr(matrix, tau.Address, n, device, host, space, info));
        Transpose(q, columns);
    }

    /// <inheritdoc/>
    public void CholeskySolve(Tensor b, Tensor a)
    {
        Check.CholeskySolve(b, a);
        long n = a.Rows;
        if (n == 0)
        {
            return;
        }

        DeviceMatrix matrix = Matrix(a);
        Check.PositiveDefinite(Info(solver.CholeskyWorkspace(matrix, n), (device, host, space, info) => solver.Cholesky(matrix, n, device, host, space, info)), a);
        using Tensor info = Alloc(DType.I32, new Shape(1));
        solver.CholeskySolve(matrix, Matrix(b), n, b.Rows, info.Address); // the rows of b are the columns of a column-major matrix
    }

    /// <summary>Runs a factorisation in the scratch memory that it asks for and waits for it. Returns its info: 0, or what the matrix lacks.</summary>
    private unsafe int Info(SolverWorkspace space, Action<nint, nint, SolverWorkspace, nint> run)
    {
        using Tensor info = Alloc(DType.I32, new Shape(1)), device = Alloc(DType.F64, new Shape((space.DeviceBytes + sizeof(double) - 1) / sizeof(double)));
        void* host = NativeMemory.Alloc((nuint)space.HostBytes);
        try
        {
            run(device.Address, (nint)host, space, info.Address);
            int status = this.Download<int>(info)[0];
            return status >= 0 ? status : throw new InvalidOperationException($"cuSOLVER refuses argument {-status}");
        }
        finally
        {
            NativeMemory.Free(host);
        }
    }
}
