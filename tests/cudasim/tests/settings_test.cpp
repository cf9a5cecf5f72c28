// The controls: devices, versions, failures on demand, the trace.
#include "abi/cublas.h"
#include "gpu.h"
#include "kernels.h"

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace test;

TEST(wrong_settings_are_refused) {
    CHECK_EQUAL(cudasimConfigure("CUDASIM_NOTHING", "1"), 1);
    CHECK_EQUAL(cudasimConfigure("CUDASIM_CC", "70"), 1);
    CHECK_EQUAL(cudasimConfigure("CUDASIM_ORDER", "backwards"), 1);
    CHECK_EQUAL(cudasimConfigure("CUDASIM_MEMORY_MB", "0"), 1);
    CHECK_EQUAL(cudasimConfigure("CUDASIM_FAIL", "cuInit@x=1"), 1);
}

TEST(devices_have_what_is_configured) {
    const Configured devices("CUDASIM_DEVICES", "2", "1"), capability("CUDASIM_CC", "86", "90"), driver("CUDASIM_DRIVER", "12040", "0");
    SUCCEED(cuInit(0));
    int count, value;
    SUCCEED(cuDeviceGetCount(&count));
    CHECK_EQUAL(count, 2);
    CUdevice device;
    SUCCEED(cuDeviceGet(&device, 1));
    CHECK_EQUAL(cuDeviceGet(&device, 2), CUDA_ERROR_INVALID_DEVICE);
    SUCCEED(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0));
    CHECK_EQUAL(value, 6);
    SUCCEED(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
    CHECK_EQUAL(value, 99 << 10);
    SUCCEED(cuDriverGetVersion(&value));
    CHECK_EQUAL(value, 12040);
    char name[32];
    SUCCEED(cuDeviceGetName(name, sizeof name, 0));
    CHECK_EQUAL(std::string(name), "cudasim sm_86");
}

TEST(without_devices_there_is_no_device) {
    const Configured devices("CUDASIM_DEVICES", "0", "1");
    CHECK_EQUAL(cuInit(0), CUDA_ERROR_NO_DEVICE);
}

TEST(memory_belongs_to_one_device) {
    const Configured devices("CUDASIM_DEVICES", "2", "1");
    const Gpu gpu;
    const Module module(kernels());
    CUcontext second;
    SUCCEED(cuDevicePrimaryCtxRetain(&second, 1));
    SUCCEED(cuCtxPushCurrent_v2(second));
    CUdeviceptr elsewhere;
    SUCCEED(cuMemAlloc_v2(&elsewhere, 4));
    SUCCEED(cuCtxPopCurrent_v2(nullptr));
    CHECK_EQUAL(cuMemFree_v2(elsewhere), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(module.run("write_at", {1, 32}, elsewhere, 0LL), CUDA_ERROR_ILLEGAL_ADDRESS);
    SUCCEED(cuCtxSetCurrent(second));
    SUCCEED(cuMemFree_v2(elsewhere));
    SUCCEED(cuDevicePrimaryCtxRelease_v2(1));
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
}

TEST(a_context_is_one_for_all_who_retain_it) {
    const Gpu gpu;
    CUcontext again;
    SUCCEED(cuDevicePrimaryCtxRetain(&again, 0));
    CHECK_EQUAL(again, gpu.context());
    SUCCEED(cuDevicePrimaryCtxRelease_v2(0));
    SUCCEED(cuCtxSynchronize());
    unsigned flags;
    int active;
    SUCCEED(cuDevicePrimaryCtxGetState(0, &flags, &active));
    CHECK_EQUAL(active, 1);
}

TEST(a_call_fails_once_on_demand) {
    const Gpu gpu;
    const Configured configured("CUDASIM_FAIL", "cuMemAlloc_v2@2=2,cublasCreate_v2@1=3", "");
    CUdeviceptr p, q;
    SUCCEED(cuMemAlloc_v2(&p, 4));
    CHECK_EQUAL(cuMemAlloc_v2(&q, 4), CUDA_ERROR_OUT_OF_MEMORY);
    SUCCEED(cuMemAlloc_v2(&q, 4));
    cublasHandle_t handle;
    CHECK_EQUAL(cublasCreate_v2(&handle), CUBLAS_STATUS_ALLOC_FAILED);
    SUCCEED(cuMemFree_v2(p));
    SUCCEED(cuMemFree_v2(q));
    CHECK_EQUAL(std::string(cudasimReport()), "");
}

TEST(a_call_fails_from_then_on_on_demand) {
    const Gpu gpu;
    const Configured configured("CUDASIM_FAIL", "cuStreamSynchronize@2+=719", "");
    SUCCEED(cuStreamSynchronize(nullptr));
    CHECK_EQUAL(cuStreamSynchronize(nullptr), CUDA_ERROR_LAUNCH_FAILED);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);  // the code is one that ends a context
}

TEST(calls_need_initialization_and_a_context) {
    SUCCEED(cuInit(0));
    SUCCEED(cuCtxSetCurrent(nullptr));
    CUdeviceptr p;
    CHECK_EQUAL(cuMemAlloc_v2(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    cublasHandle_t handle;
    CHECK_EQUAL(cublasCreate_v2(&handle), CUBLAS_STATUS_NOT_INITIALIZED);
    CHECK_EQUAL(cuInit(1), CUDA_ERROR_INVALID_VALUE);
}

TEST(the_trace_tells_what_was_asked_for) {
    const auto file = std::filesystem::temp_directory_path() / "cudasim-trace-test";
    std::filesystem::remove(file);
    {
        const Configured configured("CUDASIM_TRACE", file.c_str(), "");
        const Gpu gpu;
        const Module module(kernels());
        const Buffer<float> x(std::vector<float>{1, 2, 3, 4}), y(2);
        SUCCEED(module.run("row_sums", {2, 32}, y.pointer(), x.pointer(), 2));
        y.read();
    }
    std::ifstream stream(file);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    CHECK_EQUAL(text, "compile test.cu for sm_90\n"
                      "load module\n"
                      "allocate 16\n"
                      "copy pageable to device 16 in stream 0\n"
                      "allocate 8\n"
                      "launch row_sums grid 2x1x1 block 32x1x1 shared 0 in stream 0\n"
                      "synchronize context\n"
                      "copy device to pageable 8 in stream 0\n"
                      "free\n"
                      "free\n");
    std::filesystem::remove(file);
}

TEST(errors_have_names) {
    const char* name;
    SUCCEED(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &name));
    CHECK_EQUAL(std::string(name), "CUDA_ERROR_ILLEGAL_ADDRESS");
    SUCCEED(cuGetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &name));
    CHECK_EQUAL(std::string(name), "an illegal memory access was encountered");
    CHECK_EQUAL(cuGetErrorName(static_cast<CUresult>(998), &name), CUDA_ERROR_INVALID_VALUE);
}
