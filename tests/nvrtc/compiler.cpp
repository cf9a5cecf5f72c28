#include "compiler.h"

#include <dlfcn.h>
#include <stdexcept>

namespace {

template <class Function> void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr)
        throw std::runtime_error(std::string(name) + " is not in NVRTC");
}

}  // namespace

std::optional<Compiler> Compiler::load() {
    for (const char* soname : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"}) {
        void* library = dlopen(soname, RTLD_NOW);
        if (library == nullptr)
            continue;
        Compiler compiler;
        find(library, "nvrtcCreateProgram", compiler.create_);
        find(library, "nvrtcCompileProgram", compiler.compile_);
        find(library, "nvrtcGetProgramLogSize", compiler.log_size_);
        find(library, "nvrtcGetProgramLog", compiler.log_);
        find(library, "nvrtcGetPTXSize", compiler.ptx_size_);
        find(library, "nvrtcGetPTX", compiler.ptx_);
        find(library, "nvrtcDestroyProgram", compiler.destroy_);
        int (*version)(int*, int*) = nullptr;
        find(library, "nvrtcVersion", version);
        int major = 0, minor = 0;
        version(&major, &minor);
        compiler.name_ = "NVRTC " + std::to_string(major) + "." + std::to_string(minor);
        return compiler;
    }
    return std::nullopt;
}

Compilation Compiler::compile(const std::string& source, const std::string& file, const std::vector<std::string>& options) const {
    Program program = nullptr;
    if (create_(&program, source.c_str(), file.c_str(), 0, nullptr, nullptr) != 0)
        throw std::runtime_error("NVRTC takes no program");
    std::vector<const char*> texts;
    for (const std::string& option : options)
        texts.push_back(option.c_str());
    const bool succeeded = compile_(program, static_cast<int>(texts.size()), texts.data()) == 0;
    const auto text = [program](auto size_of, auto get) {
        std::size_t size = 0;
        size_of(program, &size);
        std::string content(size, '\0');
        get(program, content.data());
        return content;
    };
    const Compilation compilation = {succeeded, text(log_size_, log_), succeeded ? text(ptx_size_, ptx_) : ""};
    destroy_(&program);
    return compilation;
}
