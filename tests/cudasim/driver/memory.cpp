#include "abi/cuda.h"
#include "core/trace.h"
#include "driver.h"

using namespace cudasim;

namespace {

void* allocate(Memory& memory, std::size_t bytes, Allocation::Kind kind) {
    require(bytes > 0, CUDA_ERROR_INVALID_VALUE, "0 bytes asked for");
    void* p = memory.allocate(bytes, kind);
    if (p == nullptr)
        fail(CUDA_ERROR_OUT_OF_MEMORY, "");
    trace(text("allocate ", kind == Allocation::Kind::pinned ? "pinned " : "", bytes));
    return p;
}

void require_start(const Memory& memory, const void* p) {
    const Allocation* allocation = memory.find(p);
    if (allocation == nullptr || allocation->begin != p)
        fail(CUDA_ERROR_INVALID_VALUE, memory.describe(p) + " is not the start of an allocation");
}

}  // namespace

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    return context_call(__func__, [&](Context& context) {
        *total = context.memory().capacity();
        *free = *total - context.memory().used();
    });
}

CUresult cuMemAlloc_v2(CUdeviceptr* dptr, size_t bytesize) {
    return context_call(__func__, [&](Context& context) { *dptr = device_pointer(allocate(context.memory(), bytesize, Allocation::Kind::device)); });
}

CUresult cuMemFree_v2(CUdeviceptr dptr) {
    return context_call(__func__, [&](Context& context) {
        if (dptr == 0)
            return;
        require_start(context.memory(), pointer(dptr));
        context.synchronize();
        context.memory().release(pointer(dptr));
        trace("free");
    });
}

CUresult cuMemAllocAsync(CUdeviceptr* dptr, size_t bytesize, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        context.stream(hStream);
        *dptr = device_pointer(allocate(context.memory(), bytesize, Allocation::Kind::device));
    });
}

CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        if (dptr == 0)
            return;
        const auto stream = context.stream(hStream);
        require_start(context.memory(), pointer(dptr));
        context.enqueue(stream, [&context, dptr] { context.memory().release(pointer(dptr)); });
        trace(text("free in stream ", context.number(*stream)));
    });
}

CUresult cuMemHostAlloc(void** pp, size_t bytesize, unsigned int Flags) {
    return context_call(__func__, [&](Context&) {
        require(Flags <= 7, CUDA_ERROR_INVALID_VALUE, "unknown flags");
        *pp = allocate(host_memory(), bytesize, Allocation::Kind::pinned);
    });
}

CUresult cuMemAllocHost_v2(void** pp, size_t bytesize) {
    return context_call(__func__, [&](Context&) { *pp = allocate(host_memory(), bytesize, Allocation::Kind::pinned); });
}

CUresult cuMemFreeHost(void* p) {
    return context_call(__func__, [&](Context&) {
        host_memory().release(p);
        trace("free pinned");
    });
}

CUresult cuMemHostRegister_v2(void* p, size_t bytesize, unsigned int Flags) {
    return context_call(__func__, [&](Context&) {
        require(p != nullptr && bytesize > 0 && Flags < 16, CUDA_ERROR_INVALID_VALUE, "nothing to register, or unknown flags");
        const auto* last = static_cast<std::byte*>(p) + bytesize - 1;
        const Allocation* before = host_memory().find(last);
        require(before == nullptr || before->end() <= p, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "a part is registered already");
        host_memory().adopt(p, bytesize, Allocation::Kind::registered);
    });
}

CUresult cuMemHostUnregister(void* p) {
    return context_call(__func__, [&](Context&) {
        const Allocation* allocation = host_memory().find(p);
        require(allocation != nullptr && allocation->begin == p && allocation->kind == Allocation::Kind::registered,
                CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "not the start of registered memory");
        host_memory().disown(p);
    });
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned int Flags) {
    return context_call(__func__, [&](Context&) {
        require(Flags == 0 && host_memory().find(p) != nullptr, CUDA_ERROR_INVALID_VALUE, "no pinned memory, or unknown flags");
        *pdptr = device_pointer(p);
    });
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* pbase, size_t* psize, CUdeviceptr dptr) {
    return context_call(__func__, [&](Context& context) {
        const Allocation* allocation = context.memory().find(pointer(dptr));
        require(allocation != nullptr, CUDA_ERROR_NOT_FOUND, "no device memory");
        if (pbase != nullptr)
            *pbase = device_pointer(allocation->begin);
        if (psize != nullptr)
            *psize = allocation->size;
    });
}

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr ptr) {
    return context_call(__func__, [&](Context& context) {
        const bool device = context.memory().find(pointer(ptr)) != nullptr;
        require(device || host_memory().find(pointer(ptr)) != nullptr, CUDA_ERROR_INVALID_VALUE, "neither device nor pinned memory");
        switch (attribute) {
        case CU_POINTER_ATTRIBUTE_CONTEXT:
            *static_cast<Context**>(data) = &context;
            break;
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
            *static_cast<CUmemorytype*>(data) = device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
            break;
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
            *static_cast<int*>(data) = context.device();
            break;
        default:
            fail(CUDA_ERROR_INVALID_VALUE, text("pointer attribute ", static_cast<int>(attribute), " is not known here"));
        }
    });
}
