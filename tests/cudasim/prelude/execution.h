// What a compiled kernel module and the simulator share. Included by both, so it includes nothing.
#pragma once

namespace cudasim {

constexpr unsigned warp_size = 32;
constexpr unsigned slot_bytes = 64;
constexpr unsigned max_threads = 1024;
/// Room for the largest dynamic array, that of compute capability 9.0, and for the canary behind it.
constexpr unsigned dynamic_shared_bytes = (227 << 10) + 64;

struct Index {
    unsigned x, y, z;
};

/// A thread of the running block. Lanes exchange values through their slots: two in turn for exchanges of the whole warp, so that one barrier is
/// enough, and a third for exchanges of a part of it.
struct Thread {
    Index index;
    unsigned lane;
    unsigned lanes;  ///< mask of the lanes that its warp has: fewer than 32 where the block ends
    unsigned exchanges;
    Thread* warp;  ///< lane 0
    alignas(16) unsigned char slot[3][slot_bytes];
};

/// What a kernel asks the simulator for. A line is that of the call in the kernel's source, for the report.
struct Services {
    /// The barrier of the block; the number of its threads whose vote is set.
    unsigned (*sync_threads)(bool vote, int line);
    void (*sync_warp)(unsigned mask, int line);
    /// cp.async: bytes arrive when they are waited for, not before. From byte `copied` on the destination becomes zero.
    void (*copy_async)(void* destination, const void* source, unsigned bytes, unsigned copied, int line);
    void (*commit_copies)();
    void (*wait_copies)(unsigned pending_groups);
    /// Ends the launch with an error of the driver API.
    void (*fault)(int code, const char* what, const void* address, int line);
    /// The 65,536 values of an IEEE half.
    const float* half_values;
};

/// Where the module runs: written by the simulator at every switch of threads.
struct Execution {
    Thread* thread;
    const Services* services;
    Index block_index, block_dim, grid_dim;
};

struct Parameter {
    unsigned size;
    bool is_pointer;
};

/// A row of the table at the end of each module. The table ends with a row without a name.
struct KernelEntry {
    const char* expression;  ///< as nvrtcAddNameExpression got it, or the name in the source
    const void* function;
    void (*call)(void** arguments);
    const Parameter* parameters;
    unsigned parameter_count;
    unsigned max_threads;  ///< of __launch_bounds__, 0 without
};

}  // namespace cudasim
