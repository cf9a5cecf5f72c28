#include "lt_descriptors.h"

#include "core/forever.h"
#include "element.h"

#include <algorithm>

namespace cudasim {

namespace {

struct LtHandle {};

template <class T> Handles<T>& all() {
    static Handles<T>& objects = forever<Handles<T>>();
    return objects;
}

template <class T> T& object_of(const void* handle, const char* missing) {
    const auto found = all<T>().find(handle);
    require(found != nullptr, CUBLAS_STATUS_INVALID_VALUE, missing);
    return *found;
}

MatmulDescription& description_of(const void* handle) { return object_of<MatmulDescription>(handle, "no such matmul descriptor"); }
MatrixLayout& layout_of(const void* handle) { return object_of<MatrixLayout>(handle, "no such matrix layout"); }
MatmulPreference& preference_of(const void* handle) { return object_of<MatmulPreference>(handle, "no such preference"); }

template <class Handle, class T> void create(Handle* handle, const T& object) {
    *handle = reinterpret_cast<Handle>(all<T>().add(std::make_shared<T>(object)));
}

/// The value of an attribute, whose size has to be right.
template <class T> T read(const void* buffer, std::size_t size) {
    require(buffer != nullptr && size == sizeof(T), CUBLAS_STATUS_INVALID_VALUE, "an attribute of another size");
    T value;
    std::memcpy(&value, buffer, sizeof value);
    return value;
}

bool read_transposition(const void* buffer, std::size_t size) {
    const auto operation = read<std::int32_t>(buffer, size);
    require(operation >= CUBLAS_OP_N && operation <= CUBLAS_OP_C, CUBLAS_STATUS_INVALID_VALUE, "no such operation");
    return operation != CUBLAS_OP_N;
}

cublasLtEpilogue_t read_epilogue(const void* buffer, std::size_t size) {
    const auto epilogue = read<cublasLtEpilogue_t>(buffer, size);
    require(epilogue == CUBLASLT_EPILOGUE_DEFAULT || epilogue == CUBLASLT_EPILOGUE_RELU || epilogue == CUBLASLT_EPILOGUE_BIAS ||
                epilogue == CUBLASLT_EPILOGUE_RELU_BIAS,
            CUBLAS_STATUS_NOT_SUPPORTED, "an epilogue that is not known here");
    return epilogue;
}

}  // namespace

Matrix MatrixLayout::matrix() const {
    const bool row_major = order == CUBLASLT_ORDER_ROW;
    const std::int64_t line = row_major ? columns : rows;
    require(element_size(type) > 0, CUBLAS_STATUS_NOT_SUPPORTED, "a type that is not known here");
    if (leading < std::max<std::int64_t>(1, line))
        fail(CUBLAS_STATUS_INVALID_VALUE, text("a leading dimension of ", leading, " for lines of ", line));
    return {nullptr, type, rows, columns, row_major ? leading : 1, row_major ? 1 : leading, batch_stride};
}

const MatmulDescription& matmul_description(cublasLtMatmulDesc_t handle) { return description_of(handle); }
const MatrixLayout& matrix_layout(cublasLtMatrixLayout_t handle) { return layout_of(handle); }
const MatmulPreference& matmul_preference(cublasLtMatmulPreference_t handle) { return preference_of(handle); }

cublasLtHandle_t create_lt_handle() { return reinterpret_cast<cublasLtHandle_t>(all<LtHandle>().add(std::make_shared<LtHandle>())); }

void destroy_lt_handle(cublasLtHandle_t handle) {
    require_lt_handle(handle);
    all<LtHandle>().remove(handle);
}

void require_lt_handle(cublasLtHandle_t handle) { require(all<LtHandle>().find(handle) != nullptr, CUBLAS_STATUS_NOT_INITIALIZED, "no such handle"); }

}  // namespace cudasim

using namespace cudasim;

// Descriptors belong to the host: they need no context.
template <class Body> static cublasStatus_t descriptor_call(const char* call, Body body) {
    return enter<cublasStatus_t>(call, [&] {
        strike(call);
        body();
    });
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* matmulDesc, cublasComputeType_t computeType, cudaDataType_t scaleType) {
    return descriptor_call(__func__, [&] {
        MatmulDescription description;
        description.compute = computeType, description.scale = scaleType;
        const bool fp64 = computeType == CUBLAS_COMPUTE_64F || computeType == CUBLAS_COMPUTE_64F_PEDANTIC;
        require(scaleType == (fp64 ? CUDA_R_64F : CUDA_R_32F), CUBLAS_STATUS_NOT_SUPPORTED, "a scale type that the compute type does not have");
        create(matmulDesc, description);
    });
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc) {
    return descriptor_call(__func__, [&] {
        description_of(matmulDesc);
        all<MatmulDescription>().remove(matmulDesc);
    });
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc, cublasLtMatmulDescAttributes_t attr, const void* buf,
                                              size_t sizeInBytes) {
    return descriptor_call(__func__, [&] {
        MatmulDescription& description = description_of(matmulDesc);
        switch (attr) {
        case CUBLASLT_MATMUL_DESC_POINTER_MODE:
            description.pointer_mode = read<cublasPointerMode_t>(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_DESC_TRANSA:
            description.transpose_a = read_transposition(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_DESC_TRANSB:
            description.transpose_b = read_transposition(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            description.epilogue = read_epilogue(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            description.bias = read<const void*>(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
            description.bias_type = read<cudaDataType>(buf, sizeInBytes);
            break;
        default:
            fail(CUBLAS_STATUS_NOT_SUPPORTED, text("descriptor attribute ", static_cast<int>(attr), " is not known here"));
        }
    });
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* matLayout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld) {
    return descriptor_call(__func__, [&] {
        MatrixLayout layout{};
        layout.rows = static_cast<std::int64_t>(rows), layout.columns = static_cast<std::int64_t>(cols), layout.leading = ld, layout.type = type;
        layout.batch = 1;
        create(matLayout, layout);
    });
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout) {
    return descriptor_call(__func__, [&] {
        layout_of(matLayout);
        all<MatrixLayout>().remove(matLayout);
    });
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout, cublasLtMatrixLayoutAttribute_t attr, const void* buf,
                                                size_t sizeInBytes) {
    return descriptor_call(__func__, [&] {
        MatrixLayout& layout = layout_of(matLayout);
        switch (attr) {
        case CUBLASLT_MATRIX_LAYOUT_ORDER:
            layout.order = read<cublasLtOrder_t>(buf, sizeInBytes);
            break;
        case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
            layout.batch = read<std::int32_t>(buf, sizeInBytes);
            break;
        case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
            layout.batch_stride = read<std::int64_t>(buf, sizeInBytes);
            break;
        default:
            fail(CUBLAS_STATUS_NOT_SUPPORTED, text("layout attribute ", static_cast<int>(attr), " is not known here"));
        }
    });
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* pref) {
    return descriptor_call(__func__, [&] { create(pref, MatmulPreference{}); });
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref) {
    return descriptor_call(__func__, [&] {
        preference_of(pref);
        all<MatmulPreference>().remove(pref);
    });
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t attr, const void* buf,
                                                    size_t sizeInBytes) {
    return descriptor_call(__func__, [&] {
        MatmulPreference& preference = preference_of(pref);
        switch (attr) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            preference.workspace = read<std::uint64_t>(buf, sizeInBytes);
            break;
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: {
            const auto alignment = read<std::uint32_t>(buf, sizeInBytes);
            require(alignment > 0, CUBLAS_STATUS_INVALID_VALUE, "an alignment of 0 bytes");
            preference.alignment[attr - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES] = alignment;
            break;
        }
        default:
            fail(CUBLAS_STATUS_NOT_SUPPORTED, text("preference attribute ", static_cast<int>(attr), " is not known here"));
        }
    });
}
