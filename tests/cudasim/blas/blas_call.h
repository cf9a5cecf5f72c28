#pragma once

#include "abi/cublas.h"
#include "core/call.h"
#include "device/context.h"
#include "product.h"

namespace cudasim {

/// A factor that the caller gave by a pointer: to host memory, read at the call, or to device memory, read when the product runs.
class Factor {
  public:
    Factor(const void* pointer, cudaDataType type, cublasPointerMode_t mode);
    double value(const Memory& memory) const;

  private:
    const void* device_ = nullptr;
    cudaDataType type_;
    double value_ = 0;
};

/// Memory that a library may write to while it works; it does, so that a second use of it shows.
struct Workspace {
    void* data = nullptr;
    std::size_t size = 0;

    void check(const Memory& memory) const;
    void scribble() const;
};

/// The type of alpha and beta for a compute type. Throws NOT_SUPPORTED where A, B and C cannot have these types under it.
cudaDataType scale_type(cublasComputeType_t compute, cudaDataType a, cudaDataType b, cudaDataType c);

/// Queues a product in a stream of the current context.
void queue_product(Context& context, const void* stream, const Product& product, const Factor& alpha, const Factor& beta, const Workspace& workspace);

/// An entry point of cuBLAS or cuBLASLt. What went wrong on the device is EXECUTION_FAILED to it.
template <class Body> cublasStatus_t blas_call(const char* call, Body body) {
    return enter<cublasStatus_t>(call, [&] {
        strike(call);
        Context* context = Context::current();
        require(context != nullptr, CUBLAS_STATUS_NOT_INITIALIZED, "this thread has no current context");
        if (context->fatal() != 0)
            fail(CUBLAS_STATUS_EXECUTION_FAILED, "");
        body(*context);
    });
}

}  // namespace cudasim
