#pragma once

#include "prelude/execution.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cudasim {

class Module;

/// A kernel of a loaded module: what a CUfunction points to.
struct Kernel {
    Module* module;
    std::string name;  ///< as cuModuleGetFunction knows it: mangled, unless it is extern "C"
    KernelEntry entry;
    std::size_t static_shared;  ///< bytes; shared variables of device functions count for every kernel
    std::size_t dynamic_limit;  ///< bytes that a launch may ask for
};

/// A compiled kernel library in memory.
class Module {
  public:
    /// From the bytes of a shared library. Throws INVALID_IMAGE.
    explicit Module(const std::string& library);
    ~Module();
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    /// Null when there is no such kernel.
    Kernel* find(std::string_view name);
    const std::vector<Kernel>& kernels() const { return kernels_; }
    /// Whether a pointer, perhaps a wild one, is that of a kernel of this module.
    bool owns(const Kernel* kernel) const;

    struct Global {
        void* address;
        std::size_t size;
    };
    /// A variable of the module; a null address when there is none.
    Global global(const std::string& name) const;
    std::vector<void*> exposed_globals;  ///< those that the host was told the address of

    Execution& execution() { return *execution_; }

    /// The shared memory of a block: static variables, then the dynamic array. Its addresses are those of the calling thread.
    struct Shared {
        std::byte *begin, *end;
        std::byte* dynamic;  ///< null when no kernel has a dynamic array
    };
    Shared shared() const;

  private:
    void load(std::string_view library);
    void list_kernels(std::string_view library);

    int file_ = -1;  ///< open while the module is loaded: the loader takes two modules for one when they come from the same path
    void* handle_ = nullptr;
    Execution* execution_ = nullptr;
    void* (*dynamic_shared_)() = nullptr;
    std::vector<Kernel> kernels_;
};

}  // namespace cudasim
