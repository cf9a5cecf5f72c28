#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cudasim {

/// What nvrtcGetPTX and nvrtcGetCUBIN hand out: this header, then a shared library. It knows its length, because cuModuleLoadData is not told.
struct ImageHeader {
    enum Kind : std::uint32_t { ptx, cubin };

    char magic[8];
    Kind kind;
    std::int32_t architecture;  ///< 90 of compute_90 or sm_90
    std::int32_t toolkit;       ///< that compiled it, as settings().toolkit
    std::uint64_t size;         ///< of the library
    std::uint64_t checksum;     ///< of the library and the fields above: a damaged image does not load

    static std::string wrap(Kind kind, int architecture, int toolkit, std::string_view library);
    /// The library of an image. Throws INVALID_IMAGE, or the error of an image that the device or the driver cannot run.
    static std::string_view unwrap(const void* image);
};

}  // namespace cudasim
