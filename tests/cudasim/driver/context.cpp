#include "abi/cuda.h"
#include "core/trace.h"
#include "driver.h"

using namespace cudasim;

namespace {

CUcontext handle(Context* context) { return reinterpret_cast<CUcontext>(context); }

Context* live_context(CUcontext handle) {
    auto* context = reinterpret_cast<Context*>(handle);
    require(context == nullptr || Driver::instance().lives(context), CUDA_ERROR_INVALID_CONTEXT, "no such context");
    return context;
}

}  // namespace

CUresult cuDevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev) {
    return driver_call(__func__, [&] { *pctx = handle(Driver::instance().retain(dev)); });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
    return driver_call(__func__, [&] { Driver::instance().release(dev); });
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int) {
    return driver_call(__func__, [&] { Driver::instance().require_device(dev); });
}

CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int* flags, int* active) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        *flags = 0, *active = Driver::instance().active(dev);
    });
}

CUresult cuCtxSetCurrent(CUcontext ctx) {
    return driver_call(__func__, [&] {
        Context* context = live_context(ctx);
        if (!context_stack().empty())
            context_stack().pop_back();
        if (context != nullptr)
            context_stack().push_back(context);
    });
}

CUresult cuCtxGetCurrent(CUcontext* pctx) {
    return driver_call(__func__, [&] { *pctx = handle(Context::current()); });
}

CUresult cuCtxPushCurrent_v2(CUcontext ctx) {
    return driver_call(__func__, [&] {
        require(ctx != nullptr, CUDA_ERROR_INVALID_CONTEXT, "no context to push");
        context_stack().push_back(live_context(ctx));
    });
}

CUresult cuCtxPopCurrent_v2(CUcontext* pctx) {
    return driver_call(__func__, [&] {
        require(!context_stack().empty(), CUDA_ERROR_INVALID_CONTEXT, "no context to pop");
        if (pctx != nullptr)
            *pctx = handle(context_stack().back());
        context_stack().pop_back();
    });
}

CUresult cuCtxGetDevice(CUdevice* device) {
    return context_call(__func__, [&](Context& context) { *device = context.device(); });
}

CUresult cuCtxSynchronize(void) {
    return context_call(__func__, [&](Context& context) {
        trace("synchronize context");
        context.synchronize();
    });
}

CUresult cuCtxGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
    return context_call(__func__, [&](Context&) { *leastPriority = 0, *greatestPriority = -5; });
}
