#pragma once

#include <string>

namespace cudasim {

/// Appends a line to the file that CUDASIM_TRACE names. Lines hold no addresses and no times: the same work leaves the same text.
void trace(const std::string& line);

}  // namespace cudasim
