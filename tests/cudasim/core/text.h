#pragma once

#include <sstream>
#include <string>

namespace cudasim {

/// The parts as one string.
template <class... Parts> std::string text(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

}  // namespace cudasim
