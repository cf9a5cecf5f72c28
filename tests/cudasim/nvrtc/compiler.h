#pragma once

#include "options.h"

#include <string>
#include <utility>
#include <vector>

namespace cudasim {

/// A source with all that it is compiled with.
struct Translation {
    std::string name, source;
    std::vector<std::pair<std::string, std::string>> headers;  ///< name, text
    std::vector<std::string> name_expressions;
    CompileOptions options;
};

struct Compiled {
    bool succeeded;
    std::string library;  ///< the bytes of a shared library with the table of kernels
    std::string log;      ///< errors in NVRTC's form: name(line): error: text
};

/// Compiles with the host's compiler, or finds what was compiled before in the cache.
Compiled compile(const Translation& translation);

}  // namespace cudasim
