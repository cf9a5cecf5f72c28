#pragma once

#include "order.h"

#include <cstddef>
#include <string>

namespace cudasim {

/// The CUDASIM_ variables, as README.md describes them: from the environment when the library is loaded, or from cudasimConfigure.
struct Settings {
    Order order;
    std::size_t memory_bytes = std::size_t{2048} << 20;
    int compute_capability = 90;
    int devices = 1;
    int toolkit = 0;       ///< 1000 major + 10 minor, as CUDA writes versions
    int driver = 0;        ///< 0: of the same version as the toolkit
    std::string cache;     ///< folder of compiled kernels
    std::string compiler;  ///< C++ compiler
    std::string trace;     ///< file, or empty
    std::string report;    ///< file, or empty for standard error

    int driver_version() const { return driver != 0 ? driver : toolkit; }
};

const Settings& settings();

}  // namespace cudasim
