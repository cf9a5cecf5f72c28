#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cudasim {

/// A tile of a product in fp64: the operands are packed into panels that the inner loop reads in order.
class Tile {
  public:
    static constexpr std::int64_t rows = 96, columns = 256, depth = 256;

    Tile() : left_(rows * depth), right_(depth * columns), sums_(rows * columns) {}

    void clear();

    /// Packs value(i, l) for i < n, l < k; what is missing to whole panels becomes 0.
    template <class Value> void load_left(std::int64_t k, std::int64_t n, Value value) {
        used_rows_ = n;
        for (std::int64_t panel = 0; panel < n; panel += panel_rows)
            for (std::int64_t l = 0; l < k; l++)
                for (std::int64_t i = panel; i < panel + panel_rows; i++)
                    left_[static_cast<std::size_t>(panel * k + l * panel_rows + i - panel)] = i < n ? value(i, l) : 0;
    }

    /// Packs value(l, j) for l < k, j < n.
    template <class Value> void load_right(std::int64_t k, std::int64_t n, Value value) {
        used_columns_ = n;
        for (std::int64_t panel = 0; panel < n; panel += panel_columns)
            for (std::int64_t l = 0; l < k; l++)
                for (std::int64_t j = panel; j < panel + panel_columns; j++)
                    right_[static_cast<std::size_t>(panel * k + l * panel_columns + j - panel)] = j < n ? value(l, j) : 0;
    }

    /// sums += left right over a depth of k.
    void multiply(std::int64_t k);

    double sum(std::int64_t i, std::int64_t j) const { return sums_[static_cast<std::size_t>(i * columns + j)]; }

  private:
    static constexpr std::int64_t panel_rows = 6, panel_columns = 8;

    std::vector<double> left_, right_, sums_;
    std::int64_t used_rows_ = 0, used_columns_ = 0;
};

}  // namespace cudasim
