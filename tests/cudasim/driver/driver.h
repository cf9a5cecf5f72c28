#pragma once

#include "abi/cuda.h"
#include "core/call.h"
#include "device/context.h"

#include <memory>
#include <vector>

namespace cudasim {

/// The state behind the driver API: which devices there are and which contexts live.
class Driver {
  public:
    static Driver& instance();

    void initialize() { initialized_ = true; }
    bool initialized() const { return initialized_; }

    /// Throws INVALID_DEVICE.
    void require_device(int device) const;

    Context* retain(int device);
    void release(int device);
    bool active(int device) const;
    /// Whether a handle is that of a context that lives.
    bool lives(const Context* context) const;

    void report_leaks() const;

  private:
    struct Primary {
        std::unique_ptr<Context> context;
        int references = 0;
    };
    Primary& primary(int device);

    bool initialized_ = false;
    std::vector<Primary> primaries_;
};

/// The contexts of a thread of the host, the current one last.
std::vector<Context*>& context_stack();

/// An entry point that needs cuInit.
template <class Body> CUresult driver_call(const char* call, Body body) {
    return enter<CUresult>(call, [&] {
        strike(call);
        require(Driver::instance().initialized(), CUDA_ERROR_NOT_INITIALIZED, "cuInit was not called");
        body();
    });
}

/// An entry point that works in the current context.
template <class Body> CUresult context_call(const char* call, Body body) {
    return enter<CUresult>(call, [&] {
        require(Driver::instance().initialized(), CUDA_ERROR_NOT_INITIALIZED, "cuInit was not called");
        Context* context = Context::current();
        require(context != nullptr, CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
        if (context->fatal() != 0)
            fail(context->fatal(), "");  // reported when it happened
        try {
            strike(call);
            body(*context);
        } catch (const Failure& failure) {
            if (Context::is_fatal(failure.code))
                context->kill(failure.code);
            throw;
        }
    });
}

inline void* pointer(CUdeviceptr p) { return reinterpret_cast<void*>(p); }
inline CUdeviceptr device_pointer(const void* p) { return reinterpret_cast<CUdeviceptr>(p); }

}  // namespace cudasim
