#pragma once

#include "execution/image.h"

#include <string>
#include <vector>

namespace cudasim {

/// What nvrtcCompileProgram was asked for.
struct CompileOptions {
    ImageHeader::Kind kind = ImageHeader::ptx;  ///< cubin for sm_XY: then there is PTX as well
    int architecture;
    std::vector<std::string> for_compiler;  ///< -D, -U, -I, -std
};

/// Architectures that the toolkit of this double compiles for.
const std::vector<int>& supported_architectures();

/// Reads NVRTC's options, and refuses what NVRTC refuses: throws INVALID_OPTION with NVRTC's own words.
CompileOptions parse_options(const std::vector<std::string>& options);

}  // namespace cudasim
