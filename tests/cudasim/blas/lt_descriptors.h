#pragma once

#include "abi/cublaslt.h"
#include "blas_call.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace cudasim {

/// What to do: a cublasLtMatmulDesc_t.
struct MatmulDescription {
    cublasComputeType_t compute;
    cudaDataType scale;
    cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
    bool transpose_a = false, transpose_b = false;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
    std::optional<cudaDataType> bias_type;
};

/// A cublasLtMatrixLayout_t, without padding, so that layouts compare by their bytes.
struct MatrixLayout {
    std::int64_t rows, columns, leading;
    std::int64_t batch = 1, batch_stride = 0;
    cudaDataType type;
    cublasLtOrder_t order = CUBLASLT_ORDER_COL;

    /// Throws INVALID_VALUE where the leading dimension is too small.
    Matrix matrix() const;
};

/// What an algorithm may count on: a cublasLtMatmulPreference_t.
struct MatmulPreference {
    std::uint64_t workspace = 0;
    std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D; what the library assumes where nothing is said
};

// Objects by their handles. All throw INVALID_VALUE for a handle that is none.
const MatmulDescription& matmul_description(cublasLtMatmulDesc_t handle);
const MatrixLayout& matrix_layout(cublasLtMatrixLayout_t handle);
const MatmulPreference& matmul_preference(cublasLtMatmulPreference_t handle);

cublasLtHandle_t create_lt_handle();
void destroy_lt_handle(cublasLtHandle_t handle);
void require_lt_handle(cublasLtHandle_t handle);

}  // namespace cudasim
