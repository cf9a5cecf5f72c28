using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>What a call of cuBLAS or cuBLASLt returns.</summary>
internal enum cublasStatus_t
{
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_ARCH_MISMATCH = 8,
    CUBLAS_STATUS_MAPPING_ERROR = 11,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
    CUBLAS_STATUS_LICENSE_ERROR = 16,
}

internal enum cublasOperation_t
{
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
}

internal enum cublasFillMode_t
{
    CUBLAS_FILL_MODE_LOWER = 0,
    CUBLAS_FILL_MODE_UPPER = 1,
}

/// <summary>What a product is summed in; 32F is IEEE fp32, without TF32.</summary>
internal enum cublasComputeType_t
{
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_COMPUTE_64F = 70,
}

internal enum cublasGemmAlgo_t
{
    CUBLAS_GEMM_DEFAULT = -1,
}

internal enum cublasMath_t
{
    CUBLAS_DEFAULT_MATH = 0,
    CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16,
}

internal enum cublasAtomicsMode_t
{
    CUBLAS_ATOMICS_NOT_ALLOWED = 0,
}

/// <summary>Element types, shared by cuBLAS, cuBLASLt and cuSOLVER.</summary>
internal enum cudaDataType
{
    CUDA_R_32F = 0,
    CUDA_R_64F = 1,
    CUDA_R_16F = 2,
    CUDA_R_16BF = 14,
}

/// <summary>Dense products. Column-major; the plain names without _v2 are an older API with other parameters.</summary>
internal static unsafe partial class CuBlas
{
    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasCreate_v2(nint* handle);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasDestroy_v2(nint handle);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasSetStream_v2(nint handle, nint stream);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasSetWorkspace_v2(nint handle, nint workspace, nuint bytes);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasSetMathMode(nint handle, cublasMath_t mode);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasSetAtomicsMode(nint handle, cublasAtomicsMode_t mode);

    [LibraryImport(Libraries.CuBlas)]
    public static partial cublasStatus_t cublasGemmStridedBatchedEx_64(
        nint handle, cublasOperation_t transA, cublasOperation_t transB, long m, long n, long k, void* alpha,
        nint a, cudaDataType typeA, long lda, long strideA, nint b, cudaDataType typeB, long ldb, long strideB, void* beta,
        nint c, cudaDataType typeC, long ldc, long strideC, long batch, cublasComputeType_t computeType, cublasGemmAlgo_t algorithm);
}
