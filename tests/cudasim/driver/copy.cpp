#include "abi/cuda.h"
#include "core/trace.h"
#include "driver.h"

#include <algorithm>
#include <cstring>

using namespace cudasim;

namespace {

/// Rows of bytes to move. `from` is replaced by a staging copy where the source may change after the call.
struct Copy {
    std::byte* to;
    std::size_t to_pitch;
    const std::byte* from;
    std::size_t from_pitch;
    std::size_t width, height = 1;

    void run() const {
        for (std::size_t row = 0; row < height; row++)
            std::memmove(to + row * to_pitch, from + row * from_pitch, width);
    }
};

enum class Place { device, pinned, pageable };

const char* name(Place place) { return place == Place::device ? "device" : place == Place::pinned ? "pinned" : "pageable"; }

std::size_t extent(std::size_t pitch, std::size_t width, std::size_t height) { return height == 0 ? 0 : pitch * (height - 1) + width; }

/// Where memory lies; throws where a range leaves its allocation.
Place place_of(Context& context, const void* p, std::size_t bytes, int code) {
    Memory& memory = context.memory().find(p) != nullptr ? context.memory() : host_memory();
    const Allocation* allocation = memory.find(p);
    if (allocation == nullptr)
        return Place::pageable;
    if (!memory.holds(p, bytes))
        fail(code, text(bytes, " bytes from ", memory.describe(p), " on reach behind its end"));
    return &memory == &host_memory() ? Place::pinned : Place::device;
}

/// Queues a copy as CUDA documents it: from pageable memory through a staging buffer that is filled now, to pageable memory before the call returns.
void queue(Context& context, CUstream handle, Copy copy, Place to, Place from, bool blocking_call) {
    const auto stream = context.stream(handle);
    trace(text("copy ", name(from), " to ", name(to), " ", copy.width * copy.height, " in stream ", context.number(*stream)));
    if (copy.width == 0 || copy.height == 0)
        return;
    auto staging = std::make_shared<std::vector<std::byte>>();
    const bool staged = from == Place::pageable && to != Place::pageable;
    if (staged) {
        staging->resize(copy.width * copy.height);
        Copy{staging->data(), copy.width, copy.from, copy.from_pitch, copy.width, copy.height}.run();
        copy.from = staging->data(), copy.from_pitch = copy.width;
    }
    context.enqueue(stream, [&context, copy, staging, to, from] {
        // Memory can have been freed while the copy waited.
        const auto moved = [&](const std::byte* p, std::size_t pitch, Place before) {
            return before != Place::pageable && place_of(context, p, extent(pitch, copy.width, copy.height), CUDA_ERROR_ILLEGAL_ADDRESS) != before;
        };
        require(!moved(copy.to, copy.to_pitch, to) && !moved(copy.from, copy.from_pitch, from), CUDA_ERROR_ILLEGAL_ADDRESS,
                "memory of a copy was freed before the copy ran");
        copy.run();
    });
    if (to == Place::pageable || (blocking_call && !staged && (to != Place::device || from != Place::device)))
        stream->run();
}

/// A copy whose call says what its ends are.
void queue_between(Context& context, CUstream handle, const Copy& copy, bool to_device, bool from_device, bool blocking_call) {
    const Place to = place_of(context, copy.to, extent(copy.to_pitch, copy.width, copy.height), CUDA_ERROR_INVALID_VALUE);
    const Place from = place_of(context, copy.from, extent(copy.from_pitch, copy.width, copy.height), CUDA_ERROR_INVALID_VALUE);
    const auto check = [&](Place place, bool device, const void* p) {
        if (device ? place == Place::pageable : place == Place::device)
            fail(CUDA_ERROR_INVALID_VALUE, text(context.memory().describe(p), " is not memory of the ", device ? "device" : "host"));
    };
    check(to, to_device, copy.to);
    check(from, from_device, copy.from);
    queue(context, handle, copy, to, from, blocking_call);
}

Copy line(void* to, const void* from, std::size_t bytes) {
    return {static_cast<std::byte*>(to), bytes, static_cast<const std::byte*>(from), bytes, bytes};
}

}  // namespace

CUresult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount) {
    return context_call(__func__,
                        [&](Context& context) { queue_between(context, nullptr, line(pointer(dstDevice), srcHost, ByteCount), true, false, true); });
}

CUresult cuMemcpyDtoH_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount) {
    return context_call(__func__,
                        [&](Context& context) { queue_between(context, nullptr, line(dstHost, pointer(srcDevice), ByteCount), false, true, true); });
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount) {
    return context_call(__func__, [&](Context& context) {
        queue_between(context, nullptr, line(pointer(dstDevice), pointer(srcDevice), ByteCount), true, true, true);
    });
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount, CUstream hStream) {
    return context_call(__func__,
                        [&](Context& context) { queue_between(context, hStream, line(pointer(dstDevice), srcHost, ByteCount), true, false, false); });
}

CUresult cuMemcpyDtoHAsync_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream) {
    return context_call(__func__,
                        [&](Context& context) { queue_between(context, hStream, line(dstHost, pointer(srcDevice), ByteCount), false, true, false); });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        queue_between(context, hStream, line(pointer(dstDevice), pointer(srcDevice), ByteCount), true, true, false);
    });
}

CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        const Place to = place_of(context, pointer(dst), ByteCount, CUDA_ERROR_INVALID_VALUE);
        const Place from = place_of(context, pointer(src), ByteCount, CUDA_ERROR_INVALID_VALUE);
        queue(context, hStream, line(pointer(dst), pointer(src), ByteCount), to, from, false);
    });
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* pCopy, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        const CUDA_MEMCPY2D& c = *pCopy;
        const auto device = [](CUmemorytype type) {
            require(type == CU_MEMORYTYPE_HOST || type == CU_MEMORYTYPE_DEVICE, CUDA_ERROR_NOT_SUPPORTED,
                    "only host and device memory are known here");
            return type == CU_MEMORYTYPE_DEVICE;
        };
        const bool to_device = device(c.dstMemoryType), from_device = device(c.srcMemoryType);
        const auto pitch = [&](std::size_t given) { return given == 0 ? c.WidthInBytes : given; };
        require(pitch(c.dstPitch) >= c.dstXInBytes + c.WidthInBytes && pitch(c.srcPitch) >= c.srcXInBytes + c.WidthInBytes, CUDA_ERROR_INVALID_VALUE,
                "a row is longer than its pitch");
        auto* to = static_cast<std::byte*>(to_device ? pointer(c.dstDevice) : c.dstHost) + c.dstY * pitch(c.dstPitch) + c.dstXInBytes;
        const auto* from = static_cast<const std::byte*>(from_device ? pointer(c.srcDevice) : c.srcHost) + c.srcY * pitch(c.srcPitch) + c.srcXInBytes;
        const Copy copy{to, pitch(c.dstPitch), from, pitch(c.srcPitch), c.WidthInBytes, c.Height};
        queue_between(context, hStream, copy, to_device, from_device, false);
    });
}

namespace {

template <class T> void queue_fill(Context& context, CUstream handle, CUdeviceptr to, T value, std::size_t count) {
    require(to % sizeof(T) == 0, CUDA_ERROR_INVALID_VALUE, "the address is not aligned to its elements");
    const auto stream = context.stream(handle);
    if (place_of(context, pointer(to), count * sizeof(T), CUDA_ERROR_INVALID_VALUE) != Place::device)
        fail(CUDA_ERROR_INVALID_VALUE, context.memory().describe(pointer(to)) + " is not memory of the device");
    trace(text("fill ", count * sizeof(T), " in stream ", context.number(*stream)));
    context.enqueue(stream, [&context, to, value, count] {
        require(context.memory().holds(pointer(to), count * sizeof(T)), CUDA_ERROR_ILLEGAL_ADDRESS, "memory was freed before it was filled");
        std::fill_n(static_cast<T*>(pointer(to)), count, value);
    });
}

}  // namespace

CUresult cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N) {
    return context_call(__func__, [&](Context& context) { queue_fill(context, nullptr, dstDevice, uc, N); });
}

CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream) {
    return context_call(__func__, [&](Context& context) { queue_fill(context, hStream, dstDevice, uc, N); });
}

CUresult cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream) {
    return context_call(__func__, [&](Context& context) { queue_fill(context, hStream, dstDevice, us, N); });
}

CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream) {
    return context_call(__func__, [&](Context& context) { queue_fill(context, hStream, dstDevice, ui, N); });
}
