// cuBLAS (libcublas.so.12 / .13): products, with prototypes and values as in cublas_v2.h.
#pragma once

#include "library_types.h"
#include "linkage.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cublasContext* cublasHandle_t;

typedef enum {
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
} cublasStatus_t;

typedef enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2 } cublasOperation_t;
typedef enum { CUBLAS_POINTER_MODE_HOST = 0, CUBLAS_POINTER_MODE_DEVICE = 1 } cublasPointerMode_t;
typedef enum { CUBLAS_ATOMICS_NOT_ALLOWED = 0, CUBLAS_ATOMICS_ALLOWED = 1 } cublasAtomicsMode_t;
typedef enum { CUBLAS_DEFAULT_MATH = 0, CUBLAS_PEDANTIC_MATH = 2, CUBLAS_TF32_TENSOR_OP_MATH = 3 } cublasMath_t;
typedef enum { CUBLAS_GEMM_DEFAULT = -1, CUBLAS_GEMM_DEFAULT_TENSOR_OP = 99 } cublasGemmAlgo_t;

typedef enum {
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_COMPUTE_32F_PEDANTIC = 69,
    CUBLAS_COMPUTE_64F = 70,
    CUBLAS_COMPUTE_64F_PEDANTIC = 71,
    CUBLAS_COMPUTE_32F_FAST_16F = 74,
    CUBLAS_COMPUTE_32F_FAST_16BF = 75,
    CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
} cublasComputeType_t;

// == handle ==
CUDASIM_API cublasStatus_t cublasCreate_v2(cublasHandle_t* handle);
CUDASIM_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
CUDASIM_API cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int* version);
CUDASIM_API cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value);
CUDASIM_API const char* cublasGetStatusName(cublasStatus_t status);
CUDASIM_API const char* cublasGetStatusString(cublasStatus_t status);
CUDASIM_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t streamId);
CUDASIM_API cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* streamId);
CUDASIM_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t workspaceSizeInBytes);
CUDASIM_API cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode);
CUDASIM_API cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
CUDASIM_API cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode);
CUDASIM_API cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode);

// == products ==
CUDASIM_API cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                        const void* alpha, const void* A, cudaDataType Atype, int lda, const void* B, cudaDataType Btype, int ldb,
                                        const void* beta, void* C, cudaDataType Ctype, int ldc, cublasComputeType_t computeType,
                                        cublasGemmAlgo_t algo);
CUDASIM_API cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, int64_t n, int64_t k,
                                           const void* alpha, const void* A, cudaDataType Atype, int64_t lda, const void* B, cudaDataType Btype,
                                           int64_t ldb, const void* beta, void* C, cudaDataType Ctype, int64_t ldc, cublasComputeType_t computeType,
                                           cublasGemmAlgo_t algo);
CUDASIM_API cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                                      const void* alpha, const void* A, cudaDataType Atype, int lda, long long int strideA,
                                                      const void* B, cudaDataType Btype, int ldb, long long int strideB, const void* beta, void* C,
                                                      cudaDataType Ctype, int ldc, long long int strideC, int batchCount,
                                                      cublasComputeType_t computeType, cublasGemmAlgo_t algo);
CUDASIM_API cublasStatus_t cublasGemmStridedBatchedEx_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m,
                                                         int64_t n, int64_t k, const void* alpha, const void* A, cudaDataType Atype, int64_t lda,
                                                         long long int strideA, const void* B, cudaDataType Btype, int64_t ldb, long long int strideB,
                                                         const void* beta, void* C, cudaDataType Ctype, int64_t ldc, long long int strideC,
                                                         int64_t batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t algo);
CUDASIM_API cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                          const float* alpha, const float* A, int lda, const float* B, int ldb, const float* beta, float* C, int ldc);
CUDASIM_API cublasStatus_t cublasDgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                          const double* alpha, const double* A, int lda, const double* B, int ldb, const double* beta, double* C,
                                          int ldc);
CUDASIM_API cublasStatus_t cublasDgemm_v2_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, int64_t n,
                                             int64_t k, const double* alpha, const double* A, int64_t lda, const double* B, int64_t ldb,
                                             const double* beta, double* C, int64_t ldc);
CUDASIM_API cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                                     const double* alpha, const double* A, int lda, long long int strideA, const double* B, int ldb,
                                                     long long int strideB, const double* beta, double* C, int ldc, long long int strideC,
                                                     int batchCount);
CUDASIM_API cublasStatus_t cublasSsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k, const float* alpha,
                                          const float* A, int lda, const float* beta, float* C, int ldc);
CUDASIM_API cublasStatus_t cublasDsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k, const double* alpha,
                                          const double* A, int lda, const double* beta, double* C, int ldc);
CUDASIM_API cublasStatus_t cublasDsyrk_v2_64(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int64_t n, int64_t k,
                                             const double* alpha, const double* A, int64_t lda, const double* beta, double* C, int64_t ldc);
