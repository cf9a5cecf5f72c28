#pragma once

#include <string>

namespace cudasim {

/// Adds a finding to the report: to standard error, or to the file that CUDASIM_REPORT names, and for cudasimReport().
void report(const std::string& finding);

}  // namespace cudasim
