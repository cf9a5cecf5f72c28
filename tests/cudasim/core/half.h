#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace cudasim {

/// The values of all 65,536 IEEE halves: a look-up is faster than a conversion without F16C.
inline const float* half_values() {
    static const std::vector<float> values = [] {
        std::vector<float> all(65536);
        for (std::uint32_t bits = 0; bits < all.size(); bits++) {
            _Float16 half;
            const auto narrow = static_cast<std::uint16_t>(bits);
            std::memcpy(&half, &narrow, sizeof half);
            all[bits] = static_cast<float>(half);
        }
        return all;
    }();
    return values.data();
}

inline float from_bf16(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

/// To nearest, ties to even.
inline std::uint16_t to_bf16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fff : static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline std::uint16_t to_half(float value) {
    const auto half = static_cast<_Float16>(value);
    std::uint16_t bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
}

}  // namespace cudasim
