// Small owners of driver objects, for the tests.
#pragma once

#include "abi/cuda.h"
#include "abi/cudasim.h"
#include "abi/nvrtc.h"
#include "test.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace test {

inline void succeed(CUresult result, const char* call, const char* file, int line) { check_equal(static_cast<int>(result), 0, call, file, line); }
#define SUCCEED(call) test::succeed(call, #call, __FILE__, __LINE__)

/// A CUDASIM_ variable for the time of a scope.
class Configured {
  public:
    Configured(const char* variable, const char* value, const char* afterwards) : variable_(variable), afterwards_(afterwards) {
        CHECK_EQUAL(cudasimConfigure(variable, value), 0);
    }
    ~Configured() { cudasimConfigure(variable_, afterwards_); }
    Configured(const Configured&) = delete;
    Configured& operator=(const Configured&) = delete;

  private:
    const char *variable_, *afterwards_;
};

/// The primary context of device 0, current while it lives.
class Gpu {
  public:
    Gpu() {
        SUCCEED(cuInit(0));
        SUCCEED(cuDevicePrimaryCtxRetain(&context_, 0));
        SUCCEED(cuCtxSetCurrent(context_));
    }
    ~Gpu() {
        cuDevicePrimaryCtxRelease_v2(0);
        cuCtxSetCurrent(nullptr);
    }
    Gpu(const Gpu&) = delete;
    Gpu& operator=(const Gpu&) = delete;

    CUcontext context() const { return context_; }

  private:
    CUcontext context_ = nullptr;
};

/// Device memory for n values, freed with the object.
template <class T> class Buffer {
  public:
    explicit Buffer(std::size_t n) : size_(n) { SUCCEED(cuMemAlloc_v2(&address_, n * sizeof(T))); }
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { SUCCEED(cuMemcpyHtoD_v2(address_, values.data(), size_ * sizeof(T))); }
    ~Buffer() { cuMemFree_v2(address_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::vector<T> read() const {
        std::vector<T> values(size_);
        SUCCEED(cuMemcpyDtoH_v2(values.data(), address_, size_ * sizeof(T)));
        return values;
    }

    CUdeviceptr address() const { return address_; }
    T* pointer() const { return reinterpret_cast<T*>(address_); }

  private:
    CUdeviceptr address_ = 0;
    std::size_t size_;
};

/// What NVRTC made of a source.
struct Compilation {
    explicit Compilation(const std::string& source, std::vector<const char*> options = {"--gpu-architecture=sm_90", "--std=c++17"},
                         const std::vector<const char*>& expressions = {});

    nvrtcResult result;
    std::string log;
    std::vector<char> ptx, cubin;
    std::vector<std::string> lowered_names;
};

struct Shape {
    unsigned grid, block, shared = 0;
    CUstream stream = nullptr;
};

class Module {
  public:
    explicit Module(const std::string& source) : Module(Compilation(source)) {}
    explicit Module(const Compilation& compilation);
    ~Module() { cuModuleUnload(module_); }
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    CUmodule handle() const { return module_; }
    CUfunction function(const char* name) const {
        CUfunction function;
        SUCCEED(cuModuleGetFunction(&function, module_, name));
        return function;
    }

    template <class... Arguments> CUresult launch(const char* name, const Shape& shape, Arguments... arguments) const {
        std::array<void*, sizeof...(arguments) + 1> pointers = {&arguments...};
        return cuLaunchKernel(function(name), shape.grid, 1, 1, shape.block, 1, 1, shape.shared, shape.stream, pointers.data(), nullptr);
    }

    /// Launches and waits: the error of the kernel itself.
    template <class... Arguments> CUresult run(const char* name, const Shape& shape, Arguments... arguments) const {
        SUCCEED(launch(name, shape, arguments...));
        return cuCtxSynchronize();
    }

  private:
    CUmodule module_ = nullptr;
};

}  // namespace test
