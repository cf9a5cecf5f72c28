#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudasim {

/// A kernel definition found in a source.
struct KernelSource {
    std::string name;
    std::string launch_bounds;  ///< what stands between the parentheses; "" without
    bool is_template;
};

/// extern __shared__ TYPE NAME[];
struct DynamicShared {
    std::string type, name;
};

struct ParsedSource {
    std::vector<KernelSource> kernels;
    std::vector<DynamicShared> dynamic_shared;  ///< different ones only
};

/// Finds the kernels of a preprocessed source. It reads tokens, not C++: enough for definitions at namespace scope.
ParsedSource parse_kernels(std::string_view source);

}  // namespace cudasim
