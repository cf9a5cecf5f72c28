#pragma once

#include <cstdint>
#include <string_view>

namespace cudasim {

/// FNV-1a, continued from an earlier result.
inline std::uint64_t fnv(std::string_view bytes, std::uint64_t seed = 0xcbf29ce484222325) {
    for (const char c : bytes)
        seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return seed;
}

}  // namespace cudasim
