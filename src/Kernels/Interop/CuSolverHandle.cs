using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.cublasFillMode_t;
using static NativeEngine.Kernels.Interop.Native.CuSolver;

namespace NativeEngine.Kernels.Interop;

/// <summary>Scratch memory of a factorisation.</summary>
/// <param name="DeviceBytes">on the device</param>
/// <param name="HostBytes">on the host</param>
internal readonly record struct SolverWorkspace(long DeviceBytes, long HostBytes);

/// <summary>
/// cuSOLVER on one stream, in F64. Column-major: of a symmetric row-major matrix, the eigenvectors come out as rows. Whether a factorisation exists
/// is written to <c>info</c>, an I32 on the device: 0 for success.
/// </summary>
internal sealed unsafe class CuSolverHandle : CudaHandle
{
    private const cudaDataType F64 = cudaDataType.CUDA_R_64F;
    private const cusolverEigMode_t Vectors = cusolverEigMode_t.CUSOLVER_EIG_MODE_VECTOR;
    private nint parameters;

    /// <summary>Runs on <paramref name="stream"/>.</summary>
    public CuSolverHandle(CudaStream stream) : base(stream)
    {
        nint created;
        Gate.Check(cusolverDnCreate(&created));
        Own(created, () =>
        {
            nint options;
            Gate.Check(cusolverDnSetStream(handle, stream.Handle));
            Gate.Check(cusolverDnCreateParams(&options));
            parameters = options;
        });
    }

    /// <summary>What <see cref="SymEig"/> needs for n x n.</summary>
    public SolverWorkspace SymEigWorkspace(DeviceMatrix a, nint values, long n)
    {
        nuint device, host;
        Gate.Check(
            cusolverDnXsyevd_bufferSize(
                handle, parameters, Vectors, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64, values, F64, &device, &host),
            $"n {n}");
        return new((long)device, (long)host);
    }

    /// <summary>Eigenvalues of the symmetric matrix in the upper triangle of <paramref name="a"/>, which is the lower one in row-major order, ascending;
    /// a becomes the eigenvectors, as columns.</summary>
    public void SymEig(DeviceMatrix a, nint values, long n, nint device, nint host, SolverWorkspace workspace, nint info) => Gate.Check(
        cusolverDnXsyevd(
            handle, parameters, Vectors, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64, values, F64,
            device, (nuint)workspace.DeviceBytes, (void*)host, (nuint)workspace.HostBytes, info),
        $"n {n}");

    /// <summary>Why this cuSOLVER has no <see cref="SymEigBatched"/>, which came with a later CUDA 12; null where it has.</summary>
    public static string? SymEigBatchedProblem
    {
        get
        {
            LoadedLibrary library = NativeLibs.Process.Load(Libraries.CuSolver);
            return NativeLibrary.TryGetExport(library.Handle, nameof(cusolverDnXsyevBatched), out _) ? null
                : $"cuSOLVER {library.Version} has no {nameof(cusolverDnXsyevBatched)}";
        }
    }

    /// <summary>What <see cref="SymEigBatched"/> needs for n x n.</summary>
    public SolverWorkspace SymEigBatchedWorkspace(DeviceMatrix a, nint values, long n)
    {
        nuint device, host;
        Gate.Check(
            cusolverDnXsyevBatched_bufferSize(
                handle, parameters, Vectors, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64, values, F64, &device, &host, 1),
            $"n {n}");
        return new((long)device, (long)host);
    }

    /// <summary>As <see cref="SymEig"/>, by the function for batches, of which this is one.</summary>
    public void SymEigBatched(DeviceMatrix a, nint values, long n, nint device, nint host, SolverWorkspace workspace, nint info) => Gate.Check(
        cusolverDnXsyevBatched(
            handle, parameters, Vectors, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64, values, F64,
            device, (nuint)workspace.DeviceBytes, (void*)host, (nuint)workspace.HostBytes, info, 1),
        $"n {n}");

    /// <summary>What <see cref="Cholesky"/> needs for n x n.</summary>
    public SolverWorkspace CholeskyWorkspace(DeviceMatrix a, long n)
    {
        nuint device, host;
        Gate.Check(cusolverDnXpotrf_bufferSize(handle, parameters, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64, &device, &host), $"n {n}");
        return new((long)device, (long)host);
    }

    /// <summary>The upper triangle of <paramref name="a"/>, as of <see cref="SymEig"/>, becomes its Cholesky factor; info > 0 is the order of the first minor that is not positive.</summary>
    public void Cholesky(DeviceMatrix a, long n, nint device, nint host, SolverWorkspace workspace, nint info) => Gate.Check(
        cusolverDnXpotrf(
            handle, parameters, CUBLAS_FILL_MODE_UPPER, n, F64, a.Address, a.Stride, F64,
            device, (nuint)workspace.DeviceBytes, (void*)host, (nuint)workspace.HostBytes, info),
        $"n {n}");

    /// <summary>The columns of b (n,count) become those of a^-1 b, for the factor that <see cref="Cholesky"/> left in <paramref name="a"/>.</summary>
    public void CholeskySolve(DeviceMatrix a, DeviceMatrix b, long n, long count, nint info) => Gate.Check(
        cusolverDnXpotrs(handle, parameters, CUBLAS_FILL_MODE_UPPER, n, count, F64, a.Address, a.Stride, F64, b.Address, b.Stride, info),
        $"n {n}, {count} columns");

    /// <summary>What <see cref="Qr"/> needs for n x n: the larger of its two steps.</summary>
    public SolverWorkspace QrWorkspace(DeviceMatrix a, nint tau, long n)
    {
        nuint device, host;
        int elements;
        Gate.Check(cusolverDnXgeqrf_bufferSize(handle, parameters, n, n, F64, a.Address, a.Stride, F64, tau, F64, &device, &host), $"n {n}");
        Gate.Check(cusolverDnDorgqr_bufferSize(handle, checked((int)n), (int)n, (int)n, a.Address, checked((int)a.Stride), tau, &elements), $"n {n}");
        return new(Math.Max((long)device, elements * (long)sizeof(double)), (long)host);
    }

    /// <summary>Householder QR: a becomes Q. <paramref name="tau"/> takes n scalars.</summary>
    public void Qr(DeviceMatrix a, nint tau, long n, nint device, nint host, SolverWorkspace workspace, nint info)
    {
        Gate.Check(
            cusolverDnXgeqrf(
                handle, parameters, n, n, F64, a.Address, a.Stride, F64, tau, F64,
                device, (nuint)workspace.DeviceBytes, (void*)host, (nuint)workspace.HostBytes, info),
            $"n {n}");
        Gate.Check(
            cusolverDnDorgqr(
                handle, checked((int)n), (int)n, (int)n, a.Address, checked((int)a.Stride), tau,
                device, checked((int)(workspace.DeviceBytes / sizeof(double))), info),
            $"n {n}");
    }

    /// <inheritdoc/>
    protected override bool Destroy() =>
        (parameters == 0 || Gate.Quietly(cusolverDnDestroyParams(parameters), this, nameof(cusolverDnDestroyParams)))
        & Gate.Quietly(cusolverDnDestroy(handle), this, nameof(cusolverDnDestroy));
}
