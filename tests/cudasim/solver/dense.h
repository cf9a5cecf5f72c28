#pragma once

#include <cstdint>
#include <vector>

namespace cudasim {

/// A dense column-major matrix of the host, in fp64.
struct Dense {
    Dense(std::int64_t r, std::int64_t c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}

    double& operator()(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(j * rows + i)]; }
    double operator()(std::int64_t i, std::int64_t j) const { return values[static_cast<std::size_t>(j * rows + i)]; }
    double* column(std::int64_t j) { return values.data() + j * rows; }

    std::int64_t rows, columns;
    std::vector<double> values;
};

}  // namespace cudasim
