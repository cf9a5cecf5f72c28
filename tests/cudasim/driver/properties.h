#pragma once

#include "abi/cuda.h"

#include <cstddef>

namespace cudasim {

/// What cuDeviceGetAttribute answers for a device of the configured compute capability. Throws INVALID_VALUE for an attribute that is not known here.
int device_attribute(CUdevice_attribute attribute, int device);

/// Shared memory in bytes that a block may have in all, static and dynamic, after cuFuncSetAttribute.
std::size_t shared_memory_limit();
std::size_t shared_memory_per_processor();

constexpr int max_threads_per_block = 1024;
constexpr int max_threads_per_processor = 2048;
constexpr int registers_per_thread = 64;  // what every kernel is said to use
constexpr int registers_per_processor = 65536;

/// A number that divides little: a grid cut by it shows what does not cover its data.
constexpr int processors = 7;

}  // namespace cudasim
