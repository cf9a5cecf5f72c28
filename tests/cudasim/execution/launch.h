#pragma once

#include "prelude/execution.h"

#include <cstddef>
#include <vector>

namespace cudasim {

class Memory;
struct Allocation;
struct Kernel;

/// A grid of blocks that is going to run.
struct Launch {
    /// Copies the values that a launch's array of pointers points to, as CUDA does at the call.
    Launch(const Kernel& launched, Index blocks, Index threads, std::size_t shared_bytes, void** arguments);

    /// Runs all blocks, one after another. Throws Failure with the kernel, the block and the thread in its text.
    void run(const Memory& memory);

    const Kernel& kernel;
    Index grid, block;
    std::size_t dynamic_shared;

  private:
    /// What the pointers among the arguments point to; throws where one points nowhere.
    std::vector<const Allocation*> targets(const Memory& memory) const;
    void run_blocks();

    std::vector<std::vector<std::byte>> values_;
};

}  // namespace cudasim
