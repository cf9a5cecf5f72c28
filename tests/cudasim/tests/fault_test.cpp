// Kernels that are wrong: which error they end with, and what the report says.
#include "gpu.h"
#include "kernels.h"

#include <csignal>

using namespace test;

namespace {

/// Runs a kernel of kernels.cu that has to fail, and returns the report. Later calls must fail alike, and a new context must work.
template <class... Arguments> std::string report_of(int code, const char* kernel, const Shape& shape, std::size_t values, Arguments... arguments) {
    std::string report;
    {
        const Gpu gpu;
        const Module module(kernels());
        const Buffer<float> y(values);
        CHECK_EQUAL(module.run(kernel, shape, y.pointer(), arguments...), static_cast<CUresult>(code));
        CHECK_EQUAL(cuCtxSynchronize(), static_cast<CUresult>(code));
        report = cudasimReport();
    }
    const Gpu gpu;
    SUCCEED(cuCtxSynchronize());
    CHECK_CONTAINS(report, kernel);
    return report;
}

}  // namespace

TEST(a_barrier_that_some_threads_miss) {
    const auto report = report_of(719, "barrier_in_a_branch", {1, 64}, 64);
    CHECK_CONTAINS(report, "threads 0-31 wait for the block in line ");
    CHECK_CONTAINS(report, "threads 32-63 have returned");
}

TEST(two_barriers_at_once) { CHECK_CONTAINS(report_of(719, "different_barriers", {1, 64}, 64), "threads wait at different barriers"); }

TEST(a_shuffle_whose_partners_have_returned) {
    const auto report = report_of(719, "shuffle_without_partners", {1, 32}, 32);
    CHECK_CONTAINS(report, "threads 0-4 have returned; threads 5-31 wait for lanes 0xffffffff of their warp");
}

TEST(shuffles_in_two_places) { CHECK_CONTAINS(report_of(719, "shuffles_in_different_places", {1, 32}, 32), "in different places"); }

TEST(a_misaligned_access) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<float> y(4), x(8);
    CHECK_EQUAL(module.run("read_misaligned", {1, 1}, y.pointer(), x.pointer()), CUDA_ERROR_MISALIGNED_ADDRESS);
    CHECK_CONTAINS(cudasimReport(), "misaligned address: byte 4 of device allocation #2 (32 bytes)");
}

TEST(a_write_just_behind_an_allocation) {
    CHECK_CONTAINS(report_of(700, "write_at", {1, 32}, 100, 101LL), "wrote to byte 404 of device allocation #1 (400 bytes), behind its end");
}

TEST(a_write_just_before_an_allocation) {
    CHECK_CONTAINS(report_of(700, "write_at", {1, 32}, 100, -1LL), "wrote to byte -4 of device allocation #1 (400 bytes), in front of it");
}

TEST(a_write_far_behind_an_allocation) {
    const auto report = report_of(700, "write_at", {2, 32}, 100, 2000LL);
    CHECK_CONTAINS(report, "block (0,0,0), thread (3,0,0): illegal address: 7600 bytes behind the end of device allocation #1");
}

TEST(an_index_outside_a_shared_array) { CHECK_CONTAINS(report_of(700, "write_shared_at", {1, 32}, 32, 32), "index outside its array"); }

TEST(a_write_behind_dynamic_shared_memory) {
    CHECK_CONTAINS(report_of(700, "write_dynamic_shared_at", {1, 32, 128}, 32, 33), "behind the end of dynamic shared memory");
}

TEST(a_division_by_zero) { CHECK_CONTAINS(report_of(719, "divide", {1, 1}, 1, 0), "division by zero"); }

TEST(a_recursion_without_end) { CHECK_CONTAINS(report_of(719, "recurse", {1, 2}, 2, 1000), "the stack of a thread"); }

TEST(a_trap) {
    const Gpu gpu;
    const Module module(kernels());
    CHECK_EQUAL(module.run("trap", {1, 1}), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(the_hosts_signal_handlers_come_back) {
    struct sigaction ours = {}, after = {}, original = {};
    ours.sa_handler = [](int) {};
    sigaction(SIGSEGV, &ours, &original);
    report_of(700, "write_at", {1, 32}, 100, 100000LL);
    sigaction(SIGSEGV, &original, &after);
    CHECK(after.sa_handler == ours.sa_handler);
}

TEST(a_pointer_of_the_host) {
    const Gpu gpu;
    const Module module(kernels());
    std::vector<float> host(100);
    CHECK_EQUAL(module.run("write_at", {1, 32}, host.data(), 0LL), CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK_CONTAINS(cudasimReport(), "write_at: parameter 0 is the address");
}

TEST(memory_that_was_freed) {
    const Gpu gpu;
    const Module module(kernels());
    CUdeviceptr y;
    SUCCEED(cuMemAlloc_v2(&y, 400));
    SUCCEED(cuMemFree_v2(y));
    CHECK_EQUAL(module.run("write_at", {1, 32}, y, 0LL), CUDA_ERROR_ILLEGAL_ADDRESS);
}
