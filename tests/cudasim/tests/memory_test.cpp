// Memory and copies: poison, canaries, ranges, accounting, and what a copy of each kind waits for.
#include "gpu.h"

#include <cmath>
#include <cstring>

using namespace test;

namespace {

struct Pinned {
    explicit Pinned(std::size_t n) { SUCCEED(cuMemHostAlloc(reinterpret_cast<void**>(&values), n * sizeof(float), 0)); }
    ~Pinned() { cuMemFreeHost(values); }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    float* values = nullptr;
};

}  // namespace

TEST(new_memory_is_not_a_number) {
    const Gpu gpu;
    for (const float value : Buffer<float>(1000).read())
        CHECK(std::isnan(value));
    const Pinned pinned(10);
    CHECK(std::isnan(pinned.values[9]));
}

TEST(allocations_are_aligned_and_counted) {
    const Configured configured("CUDASIM_MEMORY_MB", "4", "2048");
    const Gpu gpu;
    std::size_t free_before, free_after, total;
    SUCCEED(cuMemGetInfo_v2(&free_before, &total));
    CHECK_EQUAL(total, std::size_t{4} << 20);
    const Buffer<std::byte> odd(1001);
    CHECK_EQUAL(odd.address() % 256, 0u);
    SUCCEED(cuMemGetInfo_v2(&free_after, &total));
    CHECK_EQUAL(free_before - free_after, 1001u);
    CUdeviceptr p;
    CHECK_EQUAL(cuMemAlloc_v2(&p, std::size_t{4} << 20), CUDA_ERROR_OUT_OF_MEMORY);
    CHECK_EQUAL(cuMemAlloc_v2(&p, 0), CUDA_ERROR_INVALID_VALUE);
    SUCCEED(cuCtxSynchronize());
}

TEST(memory_is_freed_once_and_by_its_start) {
    const Gpu gpu;
    CUdeviceptr p;
    SUCCEED(cuMemAlloc_v2(&p, 100));
    CHECK_EQUAL(cuMemFree_v2(p + 4), CUDA_ERROR_INVALID_VALUE);
    SUCCEED(cuMemFree_v2(p));
    CHECK_EQUAL(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "of the freed device allocation #1 (100 bytes)");
    SUCCEED(cuMemFree_v2(0));
}

TEST(copies_stay_within_their_allocations) {
    const Gpu gpu;
    const Buffer<float> device(10);
    std::vector<float> host(20);
    CHECK_EQUAL(cuMemcpyHtoD_v2(device.address(), host.data(), 44), CUDA_ERROR_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "44 bytes from byte 0 of device allocation #1 (40 bytes) on reach behind its end");
    CHECK_EQUAL(cuMemcpyDtoH_v2(host.data(), device.address() + 4, 40), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuMemcpyHtoD_v2(reinterpret_cast<CUdeviceptr>(host.data()), host.data(), 4), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuMemcpyHtoD_v2(device.address(), device.pointer(), 4), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuMemsetD8_v2(device.address(), 0, 41), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuMemsetD32Async(device.address() + 2, 0, 1, nullptr), CUDA_ERROR_INVALID_VALUE);
    const Pinned pinned(5);
    CHECK_EQUAL(cuMemcpyHtoDAsync_v2(device.address(), pinned.values, 24, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST(a_pinned_buffer_that_overflows_is_found) {
    const Gpu gpu;
    const Pinned pinned(4);
    const float before = pinned.values[4];
    pinned.values[4] = 0;
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK_CONTAINS(cudasimReport(), "wrote to byte 16 of pinned allocation");
    std::memcpy(pinned.values + 4, &before, sizeof before);
}

TEST(an_asynchronous_copy_reads_pinned_memory_late_and_pageable_memory_at_once) {
    const Gpu gpu;
    const Buffer<float> first(1), second(1);
    const Pinned pinned(1);
    float pageable = 1;
    pinned.values[0] = 1;
    SUCCEED(cuMemcpyHtoDAsync_v2(first.address(), pinned.values, 4, nullptr));
    SUCCEED(cuMemcpyHtoDAsync_v2(second.address(), &pageable, 4, nullptr));
    pinned.values[0] = pageable = 2;
    SUCCEED(cuCtxSynchronize());
    CHECK_EQUAL(first.read()[0], 2.0f);
    CHECK_EQUAL(second.read()[0], 1.0f);
}

TEST(an_asynchronous_copy_fills_pinned_memory_late_and_pageable_memory_at_once) {
    const Gpu gpu;
    const Buffer<float> device(std::vector<float>{3});
    const Pinned pinned(1);
    float pageable = 0;
    SUCCEED(cuMemcpyDtoHAsync_v2(pinned.values, device.address(), 4, nullptr));
    CHECK(std::isnan(pinned.values[0]));
    SUCCEED(cuMemcpyDtoHAsync_v2(&pageable, device.address(), 4, nullptr));
    CHECK_EQUAL(pageable, 3.0f);
    CHECK_EQUAL(pinned.values[0], 3.0f);
}

TEST(registered_memory_is_pinned) {
    const Gpu gpu;
    std::vector<float> host(4, 1);
    SUCCEED(cuMemHostRegister_v2(host.data(), 16, 0));
    CHECK_EQUAL(cuMemHostRegister_v2(host.data() + 1, 4, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    const Buffer<float> device(4);
    SUCCEED(cuMemcpyHtoDAsync_v2(device.address(), host.data(), 16, nullptr));
    host[3] = 5;
    CHECK_EQUAL(device.read()[3], 5.0f);
    SUCCEED(cuMemHostUnregister(host.data()));
    CHECK_EQUAL(cuMemHostUnregister(host.data()), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
}

TEST(a_rectangle_is_copied_between_pitches) {
    const Gpu gpu;
    const Buffer<float> device(std::vector<float>(8 * 3, 0));
    const std::vector<float> host = {1, 2, 3, 4, 5, 6};
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST, copy.srcHost = host.data(), copy.srcPitch = 8;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE, copy.dstDevice = device.address(), copy.dstPitch = 32, copy.dstXInBytes = 4;
    copy.WidthInBytes = 8, copy.Height = 3;
    SUCCEED(cuMemcpy2DAsync_v2(&copy, nullptr));
    const auto values = device.read();
    CHECK_EQUAL(values[0], 0.0f);
    CHECK_EQUAL(values[9], 3.0f);
    CHECK_EQUAL(values[18], 6.0f);
    copy.Height = 4;
    CHECK_EQUAL(cuMemcpy2DAsync_v2(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy.Height = 3, copy.dstPitch = 8;
    CHECK_EQUAL(cuMemcpy2DAsync_v2(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST(memory_is_filled_with_patterns) {
    const Gpu gpu;
    const Buffer<unsigned> device(3);
    SUCCEED(cuMemsetD8_v2(device.address(), 1, 12));
    SUCCEED(cuMemsetD16Async(device.address() + 4, 0x1234, 2, nullptr));
    SUCCEED(cuMemsetD32Async(device.address() + 8, 7, 1, nullptr));
    const auto values = device.read();
    CHECK_EQUAL(values[0], 0x01010101u);
    CHECK_EQUAL(values[1], 0x12341234u);
    CHECK_EQUAL(values[2], 7u);
}

TEST(memory_freed_in_a_stream_is_gone_for_later_work) {
    const Gpu gpu;
    const Buffer<float> source(std::vector<float>{1});
    CUdeviceptr p;
    CUstream stream;
    SUCCEED(cuStreamCreate(&stream, 0));
    SUCCEED(cuMemAllocAsync(&p, 4, stream));
    SUCCEED(cuMemcpyDtoDAsync_v2(p, source.address(), 4, stream));
    SUCCEED(cuMemFreeAsync(p, stream));
    SUCCEED(cuMemcpyDtoDAsync_v2(p, source.address(), 4, stream));
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK_CONTAINS(cudasimReport(), "freed before the copy ran");
}

TEST(pointers_know_what_they_point_to) {
    const Gpu gpu;
    const Buffer<float> device(10);
    const Pinned pinned(1);
    CUdeviceptr base;
    std::size_t size;
    SUCCEED(cuMemGetAddressRange_v2(&base, &size, device.address() + 8));
    CHECK_EQUAL(base, device.address());
    CHECK_EQUAL(size, 40u);
    CUmemorytype type;
    SUCCEED(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, device.address()));
    CHECK_EQUAL(type, CU_MEMORYTYPE_DEVICE);
    SUCCEED(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, reinterpret_cast<CUdeviceptr>(pinned.values)));
    CHECK_EQUAL(type, CU_MEMORYTYPE_HOST);
    CHECK_EQUAL(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, reinterpret_cast<CUdeviceptr>(&type)), CUDA_ERROR_INVALID_VALUE);
}

TEST(a_context_reports_what_leaks) {
    {
        const Gpu gpu;
        CUdeviceptr p;
        SUCCEED(cuMemAlloc_v2(&p, 100));
        SUCCEED(cuMemAlloc_v2(&p, 28));
        CUevent event;
        SUCCEED(cuEventCreate(&event, 0));
    }
    const std::string report = cudasimReport();
    CHECK_CONTAINS(report, "device 0: 2 allocations leak, 128 bytes; the first is device allocation #1 (100 bytes)");
    CHECK_CONTAINS(report, "device 0: 0 streams, 1 events and 0 modules leak");
}
