// Streams and events: work runs when it is asked for, in the order that waits give it and in no other.
#include "gpu.h"
#include "kernels.h"

#include <cmath>

using namespace test;

namespace {

struct Stream {
    explicit Stream(unsigned flags = CU_STREAM_NON_BLOCKING) { SUCCEED(cuStreamCreate(&handle, flags)); }
    ~Stream() { cuStreamDestroy_v2(handle); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    CUstream handle = nullptr;
};

struct Event {
    explicit Event(unsigned flags = 0) { SUCCEED(cuEventCreate(&handle, flags)); }
    ~Event() { cuEventDestroy_v2(handle); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    CUevent handle = nullptr;
};

/// Moves one value with a stream: to = from.
void move(const Buffer<float>& to, const Buffer<float>& from, CUstream stream) {
    SUCCEED(cuMemcpyDtoDAsync_v2(to.address(), from.address(), sizeof(float), stream));
}

float read(const Buffer<float>& buffer, CUstream stream) {
    float value;
    SUCCEED(cuMemcpyDtoHAsync_v2(&value, buffer.address(), sizeof value, stream));
    return value;
}

}  // namespace

TEST(streams_do_not_wait_for_each_other) {
    const Gpu gpu;
    const Buffer<float> one(std::vector<float>{1}), y(1), z(1);
    SUCCEED(cuCtxSynchronize());
    const Stream producer, consumer;
    move(y, one, producer.handle);
    move(z, y, consumer.handle);
    CHECK(std::isnan(read(z, consumer.handle)));
    move(z, y, consumer.handle);
    SUCCEED(cuStreamSynchronize(producer.handle));
    CHECK_EQUAL(read(z, consumer.handle), 1.0f);
}

TEST(a_stream_waits_for_an_event) {
    const Gpu gpu;
    const Buffer<float> one(std::vector<float>{1}), two(std::vector<float>{2}), y(1), z(1);
    SUCCEED(cuCtxSynchronize());
    const Stream producer, consumer;
    const Event ready;
    move(y, one, producer.handle);
    SUCCEED(cuEventRecord(ready.handle, producer.handle));
    move(y, two, producer.handle);
    SUCCEED(cuStreamWaitEvent(consumer.handle, ready.handle, 0));
    move(z, y, consumer.handle);
    CHECK_EQUAL(read(z, consumer.handle), 1.0f);
    CHECK_EQUAL(read(y, producer.handle), 2.0f);
}

TEST(a_wait_sees_the_event_as_it_was_recorded_before) {
    const Gpu gpu;
    const Stream producer, consumer;
    const Event event;
    SUCCEED(cuStreamWaitEvent(consumer.handle, event.handle, 0));
    SUCCEED(cuEventRecord(event.handle, producer.handle));
    SUCCEED(cuStreamSynchronize(consumer.handle));
    CHECK_EQUAL(cuEventQuery(event.handle), CUDA_ERROR_NOT_READY);
    SUCCEED(cuEventQuery(event.handle));
}

TEST(the_default_stream_waits_for_blocking_streams_and_they_for_it) {
    const Gpu gpu;
    const Buffer<float> one(std::vector<float>{1}), y(1), z(1), w(1);
    SUCCEED(cuCtxSynchronize());
    const Stream blocking(CU_STREAM_DEFAULT);
    move(y, one, blocking.handle);
    move(z, y, nullptr);
    move(w, z, blocking.handle);
    CHECK_EQUAL(read(w, blocking.handle), 1.0f);
}

TEST(a_pageable_copy_to_the_device_does_not_reach_a_nonblocking_stream_by_itself) {
    const Gpu gpu;
    const Buffer<float> x(std::vector<float>{1}), y(1);
    const Stream stream;
    move(y, x, stream.handle);
    CHECK(std::isnan(read(y, stream.handle)));
}

TEST(a_query_is_first_answered_with_not_ready) {
    const Gpu gpu;
    const Buffer<float> y(1);
    const Stream stream;
    SUCCEED(cuStreamQuery(stream.handle));
    SUCCEED(cuMemsetD32Async(y.address(), 0, 1, stream.handle));
    SUCCEED(cuMemsetD32Async(y.address(), 0, 1, stream.handle));
    CHECK_EQUAL(cuStreamQuery(stream.handle), CUDA_ERROR_NOT_READY);
    CHECK_EQUAL(cuStreamQuery(stream.handle), CUDA_ERROR_NOT_READY);
    SUCCEED(cuStreamQuery(stream.handle));
}

TEST(events_measure_time) {
    const Gpu gpu;
    const Event start, end, untimed(CU_EVENT_DISABLE_TIMING);
    SUCCEED(cuEventRecord(start.handle, nullptr));
    SUCCEED(cuEventRecord(end.handle, nullptr));
    SUCCEED(cuEventRecord(untimed.handle, nullptr));
    float milliseconds = -1;
    CHECK_EQUAL(cuEventElapsedTime(&milliseconds, start.handle, end.handle), CUDA_ERROR_NOT_READY);
    SUCCEED(cuEventSynchronize(end.handle));
    SUCCEED(cuEventElapsedTime(&milliseconds, start.handle, end.handle));
    CHECK(milliseconds >= 0 && milliseconds < 1000);
    CHECK_EQUAL(cuEventElapsedTime(&milliseconds, start.handle, untimed.handle), CUDA_ERROR_INVALID_HANDLE);
}

TEST(a_host_function_runs_in_its_place) {
    const Gpu gpu;
    const Buffer<float> y(1);
    static float* seen;
    seen = y.pointer();
    SUCCEED(cuMemsetD32Async(y.address(), 0x3f800000, 1, nullptr));
    bool right = false;
    SUCCEED(cuLaunchHostFunc(
        nullptr, [](void* result) { *static_cast<bool*>(result) = *seen == 1.0f; }, &right));
    CHECK(!right);
    SUCCEED(cuStreamSynchronize(nullptr));
    CHECK(right);
}

TEST(a_failed_kernel_ends_the_work_of_all_streams) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<float> y(4);
    const Stream stream;
    SUCCEED(module.launch("trap", {1, 1}));
    SUCCEED(cuMemsetD32Async(y.address(), 0, 4, stream.handle));
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    CHECK_EQUAL(cuStreamSynchronize(stream.handle), CUDA_ERROR_LAUNCH_FAILED);
    CUdeviceptr p;
    CHECK_EQUAL(cuMemAlloc_v2(&p, 4), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(independent_streams_run_in_another_order) {
    const auto last_writer = [](const char* order) {
        const Configured configured("CUDASIM_ORDER", order, "forward");
        const Gpu gpu;
        const Buffer<float> one(std::vector<float>{1}), two(std::vector<float>{2}), y(1);
        SUCCEED(cuCtxSynchronize());
        const Stream first, second;
        move(y, one, first.handle);
        move(y, two, second.handle);
        SUCCEED(cuCtxSynchronize());
        return read(y, nullptr);
    };
    CHECK_EQUAL(last_writer("forward"), 2.0f);
    CHECK_EQUAL(last_writer("reverse"), 1.0f);
}

TEST(handles_that_are_none_are_refused) {
    const Gpu gpu;
    CUstream stream;
    SUCCEED(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -1));
    SUCCEED(cuStreamDestroy_v2(stream));
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    CHECK_EQUAL(cuStreamDestroy_v2(stream), CUDA_ERROR_INVALID_HANDLE);
    CHECK_EQUAL(cuEventRecord(reinterpret_cast<CUevent>(&stream), nullptr), CUDA_ERROR_INVALID_HANDLE);
}
