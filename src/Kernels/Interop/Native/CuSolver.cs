using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>What a call of cuSOLVER returns; the numbers differ from those of cuBLAS.</summary>
internal enum cusolverStatus_t
{
    CUSOLVER_STATUS_SUCCESS = 0,
    CUSOLVER_STATUS_NOT_INITIALIZED = 1,
    CUSOLVER_STATUS_ALLOC_FAILED = 2,
    CUSOLVER_STATUS_INVALID_VALUE = 3,
    CUSOLVER_STATUS_ARCH_MISMATCH = 4,
    CUSOLVER_STATUS_EXECUTION_FAILED = 6,
    CUSOLVER_STATUS_INTERNAL_ERROR = 7,
    CUSOLVER_STATUS_NOT_SUPPORTED = 9,
    CUSOLVER_STATUS_INVALID_WORKSPACE = 31,
}

internal enum cusolverEigMode_t
{
    CUSOLVER_EIG_MODE_VECTOR = 1,
}

/// <summary>Dense factorisations. Column-major; the functions with an X take 64-bit sizes and are in every CUDA from 12 on.</summary>
internal static unsafe partial class CuSolver
{
    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnCreate(nint* handle);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnDestroy(nint handle);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnSetStream(nint handle, nint stream);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnCreateParams(nint* parameters);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnDestroyParams(nint parameters);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXsyevd_bufferSize(
        nint handle, nint parameters, cusolverEigMode_t mode, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType typeValues, nint values, cudaDataType computeType, nuint* deviceBytes, nuint* hostBytes);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXsyevd(
        nint handle, nint parameters, cusolverEigMode_t mode, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType typeValues, nint values, cudaDataType computeType, nint device, nuint deviceBytes, void* host, nuint hostBytes, nint info);

    /// <summary>Not in every CUDA 12: see <see cref="CuSolverHandle.SymEigBatchedProblem"/>.</summary>
    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXsyevBatched_bufferSize(
        nint handle, nint parameters, cusolverEigMode_t mode, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType typeValues, nint values, cudaDataType computeType, nuint* deviceBytes, nuint* hostBytes, long batch);

    /// <summary>As its buffer size.</summary>
    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXsyevBatched(
        nint handle, nint parameters, cusolverEigMode_t mode, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType typeValues, nint values, cudaDataType computeType, nint device, nuint deviceBytes, void* host, nuint hostBytes, nint info, long batch);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXpotrf_bufferSize(
        nint handle, nint parameters, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType computeType, nuint* deviceBytes, nuint* hostBytes);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXpotrf(
        nint handle, nint parameters, cublasFillMode_t triangle, long n, cudaDataType typeA, nint a, long lda,
        cudaDataType computeType, nint device, nuint deviceBytes, void* host, nuint hostBytes, nint info);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXpotrs(
        nint handle, nint parameters, cublasFillMode_t triangle, long n, long columns, cudaDataType typeA, nint a, long lda,
        cudaDataType typeB, nint b, long ldb, nint info);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXgeqrf_bufferSize(
        nint handle, nint parameters, long m, long n, cudaDataType typeA, nint a, long lda, cudaDataType typeTau, nint tau,
        cudaDataType computeType, nuint* deviceBytes, nuint* hostBytes);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnXgeqrf(
        nint handle, nint parameters, long m, long n, cudaDataType typeA, nint a, long lda, cudaDataType typeTau, nint tau,
        cudaDataType computeType, nint device, nuint deviceBytes, void* host, nuint hostBytes, nint info);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnDorgqr_bufferSize(nint handle, int m, int n, int k, nint a, int lda, nint tau, int* elements);

    [LibraryImport(Libraries.CuSolver)]
    public static partial cusolverStatus_t cusolverDnDorgqr(
        nint handle, int m, int n, int k, nint a, int lda, nint tau, nint work, int elements, nint info);
}
