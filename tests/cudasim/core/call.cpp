#include "call.h"

#include "forever.h"

namespace cudasim {

std::recursive_mutex& machine_lock() {
    static std::recursive_mutex& lock = forever<std::recursive_mutex>();
    return lock;
}

}  // namespace cudasim
