// NVRTC, the compiler of the CUDA toolkit: a library that needs neither a GPU nor headers. Loaded at run time, because few machines have it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

struct Compilation {
    bool succeeded;
    std::string log, ptx;
};

class Compiler {
  public:
    /// The first NVRTC that the loader finds; nothing where there is none.
    static std::optional<Compiler> load();

    /// "NVRTC 11.8"
    const std::string& name() const { return name_; }

    /// Compiles the text of one file.
    Compilation compile(const std::string& source, const std::string& file, const std::vector<std::string>& options) const;

  private:
    using Program = struct NvrtcProgram*;

    Compiler() = default;

    std::string name_;
    int (*create_)(Program*, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
    int (*compile_)(Program, int, const char* const*) = nullptr;
    int (*log_size_)(Program, std::size_t*) = nullptr;
    int (*log_)(Program, char*) = nullptr;
    int (*ptx_size_)(Program, std::size_t*) = nullptr;
    int (*ptx_)(Program, char*) = nullptr;
    int (*destroy_)(Program*) = nullptr;
};
