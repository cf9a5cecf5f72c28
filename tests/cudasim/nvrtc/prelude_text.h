#pragma once

#include <string_view>

namespace cudasim {

/// The files of prelude/ in one: what every kernel source is compiled with.
std::string_view prelude_text();

}  // namespace cudasim
