#include "call.h"

namespace cudasim {

std::recursive_mutex& machine_lock() {
    static std::recursive_mutex lock;
    return lock;
}

}  // namespace cudasim
