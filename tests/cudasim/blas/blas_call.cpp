#include "blas_call.h"

#include "abi/cuda.h"
#include "core/trace.h"
#include "device/memory.h"
#include "element.h"

#include <cstring>

namespace cudasim {

Factor::Factor(const void* pointer, cudaDataType type, cublasPointerMode_t mode) : type_(type) {
    require(pointer != nullptr, CUBLAS_STATUS_INVALID_VALUE, "alpha or beta is null");
    if (mode == CUBLAS_POINTER_MODE_DEVICE)
        device_ = pointer;
    else
        value_ = load_element(pointer, type, 0);
}

double Factor::value(const Memory& memory) const {
    if (device_ == nullptr)
        return value_;
    require(memory.holds(device_, element_size(type_)), CUDA_ERROR_ILLEGAL_ADDRESS, "alpha or beta is not in memory of the device");
    return load_element(device_, type_, 0);
}

void Workspace::check(const Memory& memory) const {
    if (size > 0 && !memory.holds(data, size))
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text("a workspace of ", size, " bytes reaches out of its memory: ", memory.describe(data)));
}

void Workspace::scribble() const { std::memset(data, 0xff, size); }

cudaDataType scale_type(cublasComputeType_t compute, cudaDataType a, cudaDataType b, cudaDataType c) {
    const bool half = a == CUDA_R_16F || a == CUDA_R_16BF;
    switch (compute) {
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
        if (a == b && ((a == CUDA_R_32F && c == CUDA_R_32F) || (half && (c == a || c == CUDA_R_32F))))
            return CUDA_R_32F;
        break;
    case CUBLAS_COMPUTE_32F_FAST_16F:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
    case CUBLAS_COMPUTE_32F_FAST_TF32:
        if (a == CUDA_R_32F && b == CUDA_R_32F && c == CUDA_R_32F)
            return CUDA_R_32F;
        break;
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
        if (a == CUDA_R_64F && b == CUDA_R_64F && c == CUDA_R_64F)
            return CUDA_R_64F;
        break;
    }
    fail(CUBLAS_STATUS_NOT_SUPPORTED, text("types ", a, ", ", b, " and ", c, " under compute type ", static_cast<int>(compute)));
}

void queue_product(Context& context, const void* stream, const Product& product, const Factor& alpha, const Factor& beta,
                   const Workspace& workspace) {
    std::shared_ptr<Stream> target;
    try {
        target = context.stream(stream);
    } catch (const Failure& failure) {
        fail(CUBLAS_STATUS_EXECUTION_FAILED, failure.what);
    }
    trace(text("product ", product.d.rows, "x", product.d.columns, "x", product.a.columns, " batch ", product.batch, " types ", product.a.type, " ",
               product.d.type, " in stream ", context.number(*target)));
    context.enqueue(target, [&context, product, alpha, beta, workspace] {
        Product p = product;
        p.alpha = alpha.value(context.memory()), p.beta = beta.value(context.memory());
        p.check(context.memory());
        workspace.check(context.memory());
        workspace.scribble();
        p.run();
    });
}

}  // namespace cudasim
