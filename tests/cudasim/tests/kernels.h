#pragma once

#include <fstream>
#include <iterator>
#include <string>

namespace test {

/// The text of kernels.cu.
inline std::string kernels() {
    std::ifstream file(CUDASIM_TESTS "/kernels.cu");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace test
