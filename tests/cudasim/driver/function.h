#pragma once

#include "driver.h"
#include "execution/module.h"

#include <memory>

namespace cudasim {

/// A CUfunction, with the module that it keeps loaded.
struct Function {
    std::shared_ptr<Module> module;
    Kernel* kernel;
};

/// Throws INVALID_HANDLE.
Function function_of(Context& context, CUfunction handle);

/// Threads that a block of the kernel may have.
int block_limit(const Kernel& kernel);

}  // namespace cudasim
