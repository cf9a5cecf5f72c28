#pragma once

#include "prelude/execution.h"

namespace cudasim {

/// What the running block offers to the code of its kernel.
const Services& services();

}  // namespace cudasim
