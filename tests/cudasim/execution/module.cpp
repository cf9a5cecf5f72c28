#include "module.h"

#include "abi/cuda.h"
#include "core/failure.h"
#include "core/text.h"
#include "elf.h"

#include <algorithm>
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cudasim {

namespace {

constexpr std::size_t default_shared_limit = 48 << 10;

/// Whether a shared variable stands in the body of a kernel: "_ZZ" and the kernel's name with its length, or its mangled name.
bool stands_in(std::string_view variable, const std::string& kernel) {
    const std::string prefix = kernel.rfind("_Z", 0) == 0 ? "_ZZ" + kernel.substr(2) : text("_ZZ", kernel.size(), kernel, "E");
    return variable.substr(0, prefix.size()) == prefix;
}

}  // namespace

Module::Module(const std::string& library) {
    load(library);
    list_kernels(library);
}

Module::~Module() {
    dlclose(handle_);
    close(file_);
}

void Module::load(std::string_view library) {
    file_ = memfd_create("cudasim module", MFD_CLOEXEC);
    require(file_ >= 0 && write(file_, library.data(), library.size()) == static_cast<ssize_t>(library.size()), CUDA_ERROR_OUT_OF_MEMORY,
            "no memory for the image");
    handle_ = dlopen(text("/proc/self/fd/", file_).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
        close(file_);
        fail(CUDA_ERROR_INVALID_IMAGE, dlerror());
    }
    execution_ = static_cast<Execution*>(dlsym(handle_, "cudasim_execution"));
    dynamic_shared_ = reinterpret_cast<void* (*)()>(dlsym(handle_, "cudasim_dynamic_shared"));
}

void Module::list_kernels(std::string_view library) {
    const auto* entry = static_cast<const KernelEntry*>(dlsym(handle_, "cudasim_kernels"));
    for (; entry->expression != nullptr; entry++) {
        Dl_info info{};
        dladdr(entry->function, &info);
        kernels_.push_back({this, info.dli_sname != nullptr ? info.dli_sname : entry->expression, *entry, 0, 0});
    }
    for (const ElfSymbol& symbol : elf_symbols(library)) {
        if (!symbol.is_thread_local || symbol.name.substr(0, 3) != "_ZZ")
            continue;
        bool owned = false;
        for (Kernel& kernel : kernels_)
            if (stands_in(symbol.name, kernel.name))
                kernel.static_shared += symbol.size, owned = true;
        for (Kernel& kernel : kernels_)
            kernel.static_shared += owned ? 0 : symbol.size;
    }
    for (Kernel& kernel : kernels_)
        kernel.dynamic_limit = default_shared_limit - std::min(default_shared_limit, kernel.static_shared);
}

Kernel* Module::find(std::string_view name) {
    for (Kernel& kernel : kernels_)
        if (kernel.name == name)
            return &kernel;
    return nullptr;
}

bool Module::owns(const Kernel* kernel) const {
    return std::any_of(kernels_.begin(), kernels_.end(), [kernel](const Kernel& own) { return &own == kernel; });
}

Module::Global Module::global(const std::string& name) const {
    void* address = dlsym(handle_, name.c_str());
    Dl_info info{};
    const ElfW(Sym)* symbol = nullptr;
    if (address == nullptr || dladdr1(address, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) == 0 ||
        symbol == nullptr)
        return {nullptr, 0};
    return {address, symbol->st_size};
}

Module::Shared Module::shared() const {
    auto* dynamic = static_cast<std::byte*>(dynamic_shared_());  // also makes the loader give this thread its copy
    Shared shared{nullptr, nullptr, dynamic};
    struct Search {
        ElfW(Addr) base;
        Shared* found;
    } search{static_cast<const link_map*>(handle_)->l_addr, &shared};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            const auto& wanted = *static_cast<Search*>(data);
            if (wanted.base != info->dlpi_addr)
                return 0;
            for (int i = 0; i < info->dlpi_phnum; i++)
                if (info->dlpi_phdr[i].p_type == PT_TLS) {
                    wanted.found->begin = static_cast<std::byte*>(info->dlpi_tls_data);
                    wanted.found->end = wanted.found->begin + info->dlpi_phdr[i].p_memsz;
                }
            return 1;
        },
        &search);
    return shared;
}

}  // namespace cudasim
