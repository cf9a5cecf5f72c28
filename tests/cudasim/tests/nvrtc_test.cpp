// NVRTC and modules: options, logs, names, images, and what the driver checks before it loads one.
#include "gpu.h"
#include "kernels.h"
#include "nvrtc/kernel_parser.h"

#include <filesystem>

using namespace test;

namespace {

const std::string empty_kernel = "extern \"C\" __global__ void empty() {}\n";

}  // namespace

TEST(errors_carry_name_and_line) {
    const Compilation failed("__device__ int a;\nextern \"C\" __global__ void k() { y = 0; }\n");
    CHECK_EQUAL(failed.result, NVRTC_ERROR_COMPILATION);
    CHECK_CONTAINS(failed.log, "test.cu(2): error: ");
    CHECK(failed.ptx.empty() && failed.cubin.empty());
}

TEST(there_are_no_headers) {
    const Compilation failed("#include <stdint.h>\n" + empty_kernel);
    CHECK_EQUAL(failed.result, NVRTC_ERROR_COMPILATION);
    CHECK_CONTAINS(failed.log, "test.cu(1): error: no include path in which to search for stdint.h");
}

TEST(headers_come_from_memory) {
    nvrtcProgram program;
    const char *header = "#define ANSWER 42\n", *name = "answer.h";
    CHECK_EQUAL(
        nvrtcCreateProgram(&program, "#include \"answer.h\"\nextern \"C\" __global__ void k(int* y) { y[0] = ANSWER; }", nullptr, 1, &header, &name),
        NVRTC_SUCCESS);
    CHECK_EQUAL(nvrtcCompileProgram(program, 0, nullptr), NVRTC_SUCCESS);
    CHECK_EQUAL(nvrtcDestroyProgram(&program), NVRTC_SUCCESS);
    CHECK_EQUAL(nvrtcDestroyProgram(&program), NVRTC_ERROR_INVALID_PROGRAM);
}

TEST(options_are_read_as_nvrtc_reads_them) {
    const auto result = [](std::vector<const char*> options) { return Compilation(empty_kernel, std::move(options)).result; };
    for (const char* accepted : {"--gpu-architecture=compute_80", "-arch=sm_90a", "--std=c++20", "--use_fast_math", "--fmad=false",
                                 "--maxrregcount=64", "--ptxas-options=-v", "-DNAME=1", "--define-macro=OTHER", "--generate-line-info", "--restrict"})
        CHECK_EQUAL(result({accepted}), NVRTC_SUCCESS);
    for (const char* refused : {"--gpu-architecture=native", "--gpu-architecture=sm_70", "--default-device", "--no-such-option", "-O3"})
        CHECK_EQUAL(result({refused}), NVRTC_ERROR_INVALID_OPTION);
    CHECK_CONTAINS(Compilation(empty_kernel, {"--no-such-option"}).log, "nvrtc: error: unrecognized option --no-such-option found");
}

TEST(macros_choose_what_is_compiled) {
    const Gpu gpu;
    const char* source = R"(
        #if defined(TYPE)
        extern "C" __global__ void fill(TYPE* y) { y[threadIdx.x] = (TYPE)1.5; }
        #else
        #error no type
        #endif
    )";
    const Module module(Compilation(source, {"-DTYPE=double"}));
    const Buffer<double> y(2);
    SUCCEED(module.run("fill", {1, 2}, y.pointer()));
    CHECK_EQUAL(y.read()[1], 1.5);
    CHECK_CONTAINS(Compilation(source, {}).log, "test.cu(5): error: #error no type");
}

TEST(a_virtual_architecture_gives_ptx_only) {
    CHECK(Compilation(empty_kernel, {"--gpu-architecture=compute_90"}).cubin.empty());
    const Compilation real(empty_kernel, {"--gpu-architecture=sm_90"});
    CHECK(!real.cubin.empty() && !real.ptx.empty());
    CHECK_EQUAL(real.ptx.back(), '\0');
}

TEST(versions_and_architectures) {
    int major, minor, count;
    CHECK_EQUAL(nvrtcVersion(&major, &minor), NVRTC_SUCCESS);
    CHECK_EQUAL(major, 13);
    CHECK_EQUAL(nvrtcGetNumSupportedArchs(&count), NVRTC_SUCCESS);
    std::vector<int> architectures(static_cast<std::size_t>(count));
    CHECK_EQUAL(nvrtcGetSupportedArchs(architectures.data()), NVRTC_SUCCESS);
    CHECK_EQUAL(architectures.front(), 75);
    CHECK_EQUAL(std::string(nvrtcGetErrorString(NVRTC_ERROR_COMPILATION)), "NVRTC_ERROR_COMPILATION");
}

TEST(compiled_kernels_are_cached_on_disk) {
    const auto folder = std::filesystem::temp_directory_path() / "cudasim-cache-test";
    std::filesystem::remove_all(folder);
    {
        const Configured cache("CUDASIM_CACHE", folder.c_str(), "");
        const Compilation first(empty_kernel);
        const Configured no_compiler("CUDASIM_CXX", "no-such-compiler", "g++");
        CHECK_EQUAL(Compilation(empty_kernel).result, NVRTC_ERROR_COMPILATION);
        CHECK_CONTAINS(Compilation(empty_kernel).log, "no-such-compiler did not run");
        cudasimConfigure("CUDASIM_CXX", "g++");
        CHECK(Compilation(empty_kernel).cubin == first.cubin);
    }
    CHECK_EQUAL(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
    std::filesystem::remove_all(folder);
    cudasimConfigure("CUDASIM_CACHE", (std::filesystem::current_path() / "kernels").c_str());
}

TEST(images_are_checked_when_they_are_loaded) {
    const Gpu gpu;
    CUmodule module;
    Compilation damaged(empty_kernel);
    damaged.cubin[damaged.cubin.size() / 2] ^= 1;
    CHECK_EQUAL(cuModuleLoadData(&module, damaged.cubin.data()), CUDA_ERROR_INVALID_IMAGE);
    CHECK_EQUAL(cuModuleLoadData(&module, "no image at all"), CUDA_ERROR_INVALID_IMAGE);
    {
        const Configured older("CUDASIM_CC", "86", "90");
        CHECK_EQUAL(cuModuleLoadData(&module, Compilation(empty_kernel, {"-arch=sm_90"}).cubin.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
        CHECK_EQUAL(cuModuleLoadData(&module, Compilation(empty_kernel, {"-arch=sm_89"}).cubin.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
        CHECK_EQUAL(cuModuleLoadData(&module, Compilation(empty_kernel, {"-arch=compute_89"}).ptx.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
        SUCCEED(cuModuleLoadData(&module, Compilation(empty_kernel, {"-arch=sm_80"}).cubin.data()));
        SUCCEED(cuModuleUnload(module));
    }
    const Configured old_driver("CUDASIM_DRIVER", "12020", "0");
    CHECK_EQUAL(cuModuleLoadData(&module, Compilation(empty_kernel).ptx.data()), CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    SUCCEED(cuModuleLoadDataEx(&module, Compilation(empty_kernel).cubin.data(), 0, nullptr, nullptr));
    CUfunction function;
    CHECK_EQUAL(cuModuleGetFunction(&function, module, "absent"), CUDA_ERROR_NOT_FOUND);
    SUCCEED(cuModuleUnload(module));
}

TEST(two_modules_of_one_source_share_nothing) {
    const Gpu gpu;
    const Module first(kernels()), second(kernels());
    CUdeviceptr counter, other;
    std::size_t bytes;
    SUCCEED(cuModuleGetGlobal_v2(&counter, &bytes, first.handle(), "counter"));
    SUCCEED(cuModuleGetGlobal_v2(&other, &bytes, second.handle(), "counter"));
    CHECK_EQUAL(bytes, 4u);
    CHECK(counter != other);
    const int value = 8;
    SUCCEED(cuMemcpyHtoD_v2(counter, &value, 4));
    const Buffer<int> y(1);
    SUCCEED(first.run("read_counter", {1, 1}, y.pointer()));
    CHECK_EQUAL(y.read()[0], 8);
    SUCCEED(second.run("read_counter", {1, 1}, y.pointer()));
    CHECK_EQUAL(y.read()[0], 7);
}

TEST(launches_are_checked_at_the_call) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<float> y(64);
    CHECK_EQUAL(module.launch("row_sums", {1, 288}, y.pointer(), y.pointer(), 1), CUDA_ERROR_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "row_sums: 288 threads, __launch_bounds__ says 256");
    CHECK_EQUAL(module.launch("trap", {0, 1}), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(module.launch("trap", {1, 1025}), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(module.launch("read_unwritten", {1, 64, 48 << 10}, y.pointer()), CUDA_ERROR_INVALID_VALUE);
    const CUfunction function = module.function("read_unwritten");
    int bytes;
    SUCCEED(cuFuncGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function));
    CHECK_EQUAL(bytes, 64 * 4 + 32 * 4);  // its own array, and that of block_sum, a device function
    CHECK_EQUAL(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 227 << 10), CUDA_ERROR_INVALID_VALUE);
    SUCCEED(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200 << 10));
    const Buffer<float> z(128);
    SUCCEED(module.run("read_unwritten", {1, 64, 200 << 10}, z.pointer()));
    int blocks;
    SUCCEED(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, 64, 100 << 10));
    CHECK_EQUAL(blocks, 2);
}

TEST(arguments_are_copied_at_the_call) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<float> y(std::vector<float>(8, 0));
    CUdeviceptr address = y.address();
    long long index = 2;
    void* arguments[] = {&address, &index};
    SUCCEED(cuLaunchKernel(module.function("write_at"), 1, 1, 1, 32, 1, 1, 0, nullptr, arguments, nullptr));
    index = 5;
    CHECK_EQUAL(y.read()[2], 1.0f);
}

TEST(kernels_are_found_in_a_source) {
    const auto parsed = cudasim::parse_kernels(R"(
        # 7 "kernels.cu"
        extern "C" __global__ void plain(float* y);
        extern "C" __global__ void plain(float* y) { const char* s = "__global__ void no() {"; }
        template <class T, int n> __global__ void __launch_bounds__(n, 2) pattern(T* y) {}
        extern "C" __global__ __launch_bounds__(128 * 2) void bounded(int (*f)(int), float4 x) { extern __shared__ __align__(16) float4 tile[]; }
        __device__ void f() { extern __shared__ float4 tile[]; }
    )");
    CHECK_EQUAL(parsed.kernels.size(), 3u);
    CHECK_EQUAL(parsed.kernels[0].name, "plain");
    CHECK_EQUAL(parsed.kernels[1].is_template, true);
    CHECK_EQUAL(parsed.kernels[2].name, "bounded");
    CHECK_EQUAL(parsed.kernels[2].launch_bounds, "128 * 2");
    CHECK_EQUAL(parsed.dynamic_shared.size(), 1u);
    CHECK_EQUAL(parsed.dynamic_shared[0].type, "float4");
}

TEST(dynamic_shared_memory_has_one_name) {
    const Compilation failed(R"(
        extern "C" __global__ void a() { extern __shared__ float x[]; x[0] = 1; }
        extern "C" __global__ void b() { extern __shared__ float y[]; y[0] = 1; }
    )");
    CHECK_CONTAINS(failed.log, "dynamic shared memory must have one name and one type in the whole file: x and y");
}
