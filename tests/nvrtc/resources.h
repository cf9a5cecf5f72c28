// What a compiled kernel takes of a multiprocessor, and what there is.
#pragma once

#include <string>
#include <vector>

struct Architecture {
    int number;  ///< 80 for sm_80
    int warps, blocks;
    int shared_bytes, shared_bytes_of_block;
};
extern const std::vector<Architecture> architectures;

struct KernelResources {
    std::string kernel;
    int registers, shared_bytes;
    int frame_bytes, spilled_bytes;  ///< local memory: slow, and always a mistake here
    int threads;                     ///< the launch bound
};

/// From what ptxas says with -v about the kernels, and from their PTX.
std::vector<KernelResources> parse_resources(const std::string& log, const std::string& ptx);

/// Warps that fit at a time, as a percentage of those that a multiprocessor can hold.
int occupancy(const KernelResources& resources, const Architecture& architecture);

/// Why the kernel is not good enough; "" when it is.
std::string objection(const KernelResources& resources, const Architecture& architecture);
