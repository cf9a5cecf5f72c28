#include "tile.h"

#include <algorithm>
#include <cstring>

namespace cudasim {

namespace {

using Vector = double __attribute__((vector_size(64)));

/// sums (6,8) += left (6,k) right (k,8). The compiler splits the vectors as the processor at hand allows.
__attribute__((target_clones("avx512f", "fma", "default"))) void multiply_panels(double* sums, const double* left, const double* right,
                                                                                 std::int64_t k, std::int64_t stride) {
    Vector c[6] = {};
    for (std::int64_t l = 0; l < k; l++) {
        Vector b;
        std::memcpy(&b, right + 8 * l, sizeof b);
        for (int i = 0; i < 6; i++)
            c[i] += left[6 * l + i] * b;
    }
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 8; j++)
            sums[i * stride + j] += c[i][j];
}

}  // namespace

void Tile::clear() { std::fill(sums_.begin(), sums_.end(), 0.0); }

void Tile::multiply(std::int64_t k) {
    for (std::int64_t j = 0; j < used_columns_; j += panel_columns)
        for (std::int64_t i = 0; i < used_rows_; i += panel_rows)
            multiply_panels(&sums_[static_cast<std::size_t>(i * columns + j)], &left_[static_cast<std::size_t>(i * k)],
                            &right_[static_cast<std::size_t>(j * k)], k, columns);
}

}  // namespace cudasim
