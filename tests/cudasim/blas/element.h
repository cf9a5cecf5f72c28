#pragma once

#include "abi/library_types.h"
#include "core/half.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cudasim {

/// Bytes of an element; 0 for a type that is not known here.
inline std::size_t element_size(cudaDataType type) {
    switch (type) {
    case CUDA_R_16F:
    case CUDA_R_16BF:
        return 2;
    case CUDA_R_32F:
        return 4;
    case CUDA_R_64F:
        return 8;
    }
    return 0;
}

/// Element i of an array.
inline double load_element(const void* array, cudaDataType type, std::int64_t i) {
    switch (type) {
    case CUDA_R_16F:
        return static_cast<double>(half_values()[static_cast<const std::uint16_t*>(array)[i]]);
    case CUDA_R_16BF:
        return static_cast<double>(from_bf16(static_cast<const std::uint16_t*>(array)[i]));
    case CUDA_R_32F:
        return static_cast<double>(static_cast<const float*>(array)[i]);
    default:
        return static_cast<const double*>(array)[i];
    }
}

/// Rounds as the hardware does: to float first, where that is what it computes in.
inline void store_element(void* array, cudaDataType type, std::int64_t i, double value) {
    switch (type) {
    case CUDA_R_16F:
        static_cast<std::uint16_t*>(array)[i] = to_half(static_cast<float>(value));
        break;
    case CUDA_R_16BF:
        static_cast<std::uint16_t*>(array)[i] = to_bf16(static_cast<float>(value));
        break;
    case CUDA_R_32F:
        static_cast<float*>(array)[i] = static_cast<float>(value);
        break;
    default:
        static_cast<double*>(array)[i] = value;
    }
}

}  // namespace cudasim
