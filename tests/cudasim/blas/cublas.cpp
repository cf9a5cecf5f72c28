#include "abi/cublas.h"

#include "blas_call.h"
#include "core/forever.h"
#include "core/settings.h"
#include "device/memory.h"
#include "status_names.h"

#include <algorithm>
#include <cstdint>

using namespace cudasim;

namespace {

struct Handle {
    CUstream_st* stream = nullptr;
    Workspace workspace;
    cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

Handles<Handle>& handles() {
    static Handles<Handle>& all = forever<Handles<Handle>>();
    return all;
}

Handle& handle_of(cublasHandle_t handle) {
    const auto found = handles().find(handle);
    require(found != nullptr, CUBLAS_STATUS_NOT_INITIALIZED, "no such handle");
    return *found;
}

/// One of the operands of a product as the caller describes it.
struct Given {
    const void* data;
    cudaDataType type;
    std::int64_t leading;
    std::int64_t batch_stride = 0;

    /// The matrix (rows, columns) that the operation makes of it.
    Matrix matrix(cublasOperation_t operation, std::int64_t rows, std::int64_t columns, const char* name) const {
        require(operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C, CUBLAS_STATUS_INVALID_VALUE, "no such operation");
        const bool transpose = operation != CUBLAS_OP_N;
        const std::int64_t stored_rows = transpose ? columns : rows, stored_columns = transpose ? rows : columns;
        if (leading < std::max<std::int64_t>(1, stored_rows))
            fail(CUBLAS_STATUS_INVALID_VALUE, text("the leading dimension of ", name, " is ", leading, ", it has ", stored_rows, " rows"));
        Matrix m = Matrix::column_major(data, type, stored_rows, stored_columns, leading);
        m.batch_stride = batch_stride;
        return transpose ? m.transposed() : m;
    }
};

struct Sizes {
    std::int64_t m, n, k, batch = 1;
};

void gemm(Context& context, cublasHandle_t cublas, cublasOperation_t on_a, cublasOperation_t on_b, const Sizes& s, const void* alpha, const Given& a,
          const Given& b, const void* beta, const Given& c, cublasComputeType_t compute, Product::Part part = Product::Part::all) {
    const Handle& handle = handle_of(cublas);
    require(s.m >= 0 && s.n >= 0 && s.k >= 0 && s.batch >= 0, CUBLAS_STATUS_INVALID_VALUE, "a size is negative");
    const cudaDataType scale = scale_type(compute, a.type, b.type, c.type);
    Product product;
    product.a = a.matrix(on_a, s.m, s.k, "A");
    product.b = b.matrix(on_b, s.k, s.n, "B");
    product.c = product.d = c.matrix(CUBLAS_OP_N, s.m, s.n, "C");
    product.batch = s.batch;
    product.part = part;
    queue_product(context, handle.stream, product, {alpha, scale, handle.pointer_mode}, {beta, scale, handle.pointer_mode}, handle.workspace);
}

/// C (n,n), one triangle: alpha op(A) op(A)^T + beta C.
void syrk(Context& context, cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, std::int64_t n, std::int64_t k, const void* alpha,
          const Given& a, const void* beta, const Given& c, cublasComputeType_t compute) {
    require(uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER, CUBLAS_STATUS_INVALID_VALUE, "no such fill mode");
    const auto other = trans == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N;
    gemm(context, handle, trans, other, {n, n, k}, alpha, a, a, beta, c, compute,
         uplo == CUBLAS_FILL_MODE_LOWER ? Product::Part::lower : Product::Part::upper);
}

}  // namespace

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    return blas_call(__func__, [&](Context&) { *handle = reinterpret_cast<cublasHandle_t>(handles().add(std::make_shared<Handle>())); });
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    return blas_call(__func__, [&](Context&) {
        handle_of(handle);
        handles().remove(handle);
    });
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {
    *version = settings().toolkit * 10;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
    *value = type == MAJOR_VERSION ? settings().toolkit / 1000 : type == MINOR_VERSION ? settings().toolkit % 1000 / 10 : 0;
    return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusName(cublasStatus_t status) { return blas_status_name(status); }

const char* cublasGetStatusString(cublasStatus_t status) { return blas_status_name(status); }

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t streamId) {
    return blas_call(__func__, [&](Context&) {
        // As documented, this takes a workspace of the user away again.
        handle_of(handle).stream = streamId;
        handle_of(handle).workspace = {};
    });
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* streamId) {
    return blas_call(__func__, [&](Context&) { *streamId = handle_of(handle).stream; });
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t workspaceSizeInBytes) {
    return blas_call(__func__, [&](Context&) {
        require(reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0, CUBLAS_STATUS_INVALID_VALUE, "the workspace is not aligned to 256 bytes");
        handle_of(handle).workspace = {workspace, workspaceSizeInBytes};
    });
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
    return blas_call(__func__, [&](Context&) { handle_of(handle).pointer_mode = mode; });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    return blas_call(__func__, [&](Context&) { handle_of(handle).math = mode; });
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
    return blas_call(__func__, [&](Context&) { *mode = handle_of(handle).math; });
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t) {
    return blas_call(__func__, [&](Context&) { handle_of(handle); });
}

cublasStatus_t cublasGemmStridedBatchedEx_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, int64_t n,
                                             int64_t k, const void* alpha, const void* A, cudaDataType Atype, int64_t lda, long long int strideA,
                                             const void* B, cudaDataType Btype, int64_t ldb, long long int strideB, const void* beta, void* C,
                                             cudaDataType Ctype, int64_t ldc, long long int strideC, int64_t batchCount,
                                             cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k, batchCount}, alpha, {A, Atype, lda, strideA}, {B, Btype, ldb, strideB}, beta,
             {C, Ctype, ldc, strideC}, computeType);
    });
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                          const void* alpha, const void* A, cudaDataType Atype, int lda, long long int strideA, const void* B,
                                          cudaDataType Btype, int ldb, long long int strideB, const void* beta, void* C, cudaDataType Ctype, int ldc,
                                          long long int strideC, int batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k, batchCount}, alpha, {A, Atype, lda, strideA}, {B, Btype, ldb, strideB}, beta,
             {C, Ctype, ldc, strideC}, computeType);
    });
}

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, int64_t n, int64_t k,
                               const void* alpha, const void* A, cudaDataType Atype, int64_t lda, const void* B, cudaDataType Btype, int64_t ldb,
                               const void* beta, void* C, cudaDataType Ctype, int64_t ldc, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k}, alpha, {A, Atype, lda}, {B, Btype, ldb}, beta, {C, Ctype, ldc}, computeType);
    });
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, const void* alpha,
                            const void* A, cudaDataType Atype, int lda, const void* B, cudaDataType Btype, int ldb, const void* beta, void* C,
                            cudaDataType Ctype, int ldc, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k}, alpha, {A, Atype, lda}, {B, Btype, ldb}, beta, {C, Ctype, ldc}, computeType);
    });
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, const float* alpha,
                              const float* A, int lda, const float* B, int ldb, const float* beta, float* C, int ldc) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k}, alpha, {A, CUDA_R_32F, lda}, {B, CUDA_R_32F, ldb}, beta, {C, CUDA_R_32F, ldc},
             CUBLAS_COMPUTE_32F);
    });
}

cublasStatus_t cublasDgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, const double* alpha,
                              const double* A, int lda, const double* B, int ldb, const double* beta, double* C, int ldc) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k}, alpha, {A, CUDA_R_64F, lda}, {B, CUDA_R_64F, ldb}, beta, {C, CUDA_R_64F, ldc},
             CUBLAS_COMPUTE_64F);
    });
}

cublasStatus_t cublasDgemm_v2_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, int64_t n, int64_t k,
                                 const double* alpha, const double* A, int64_t lda, const double* B, int64_t ldb, const double* beta, double* C,
                                 int64_t ldc) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k}, alpha, {A, CUDA_R_64F, lda}, {B, CUDA_R_64F, ldb}, beta, {C, CUDA_R_64F, ldc},
             CUBLAS_COMPUTE_64F);
    });
}

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
                                         const double* alpha, const double* A, int lda, long long int strideA, const double* B, int ldb,
                                         long long int strideB, const double* beta, double* C, int ldc, long long int strideC, int batchCount) {
    return blas_call(__func__, [&](Context& context) {
        gemm(context, handle, transa, transb, {m, n, k, batchCount}, alpha, {A, CUDA_R_64F, lda, strideA}, {B, CUDA_R_64F, ldb, strideB}, beta,
             {C, CUDA_R_64F, ldc, strideC}, CUBLAS_COMPUTE_64F);
    });
}

cublasStatus_t cublasSsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k, const float* alpha, const float* A,
                              int lda, const float* beta, float* C, int ldc) {
    return blas_call(__func__, [&](Context& context) {
        syrk(context, handle, uplo, trans, n, k, alpha, {A, CUDA_R_32F, lda}, beta, {C, CUDA_R_32F, ldc}, CUBLAS_COMPUTE_32F);
    });
}

cublasStatus_t cublasDsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k, const double* alpha,
                              const double* A, int lda, const double* beta, double* C, int ldc) {
    return blas_call(__func__, [&](Context& context) {
        syrk(context, handle, uplo, trans, n, k, alpha, {A, CUDA_R_64F, lda}, beta, {C, CUDA_R_64F, ldc}, CUBLAS_COMPUTE_64F);
    });
}

cublasStatus_t cublasDsyrk_v2_64(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int64_t n, int64_t k, const double* alpha,
                                 const double* A, int64_t lda, const double* beta, double* C, int64_t ldc) {
    return blas_call(__func__, [&](Context& context) {
        syrk(context, handle, uplo, trans, n, k, alpha, {A, CUDA_R_64F, lda}, beta, {C, CUDA_R_64F, ldc}, CUBLAS_COMPUTE_64F);
    });
}
