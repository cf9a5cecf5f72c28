#pragma once

#include <utility>

namespace cudasim {

/// An object that is never destroyed: threads of the host may still call when static objects are already gone.
template <class T, class... Arguments> T& forever(Arguments&&... arguments) { return *new T(std::forward<Arguments>(arguments)...); }

}  // namespace cudasim
