#include "product.h"

#include "abi/cuda.h"
#include "core/failure.h"
#include "core/forever.h"
#include "core/text.h"
#include "device/memory.h"
#include "element.h"
#include "tile.h"

#include <algorithm>
#include <cstdint>

namespace cudasim {

namespace {

std::uintptr_t address(const Matrix& m) { return reinterpret_cast<std::uintptr_t>(m.data); }

void check_matrix(const Memory& memory, const Matrix& m, std::int64_t batch, const char* name) {
    if (m.rows == 0 || m.columns == 0 || batch == 0)
        return;
    if (address(m) % element_size(m.type) != 0)
        fail(CUDA_ERROR_MISALIGNED_ADDRESS, text(name, " is not aligned to its elements: ", memory.describe(m.data)));
    if (!memory.holds(m.data, m.extent(batch)))
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text(name, ", ", m.extent(batch), " bytes, reaches out of its memory: ", memory.describe(m.data)));
}

/// Whether two matrices share an element. Windows of one matrix that lie beside each other do not.
bool overlap(const Matrix& x, const Matrix& y, std::int64_t batch) {
    const std::uintptr_t x_end = address(x) + x.extent(batch), y_end = address(y) + y.extent(batch);
    if (x_end <= address(y) || y_end <= address(x))
        return false;
    const auto pitch = [](const Matrix& m) { return std::max(m.row_stride, m.column_stride); };
    const auto width = [](const Matrix& m) { return m.row_stride < m.column_stride ? m.rows : m.columns; };
    if (x.type != y.type || pitch(x) != pitch(y) || batch > 1)
        return true;
    // Both are windows of one matrix: where y begins within a line of x, and x within a line of y, decides.
    const auto line = pitch(x) * static_cast<std::int64_t>(element_size(x.type)), size = static_cast<std::int64_t>(element_size(x.type));
    const auto offset = static_cast<std::int64_t>(address(y) - address(x)) % line;
    const std::int64_t x_to_y = offset < 0 ? offset + line : offset, y_to_x = (line - x_to_y) % line;
    return x_to_y < width(x) * size || y_to_x < width(y) * size;
}

}  // namespace

std::size_t Matrix::extent(std::int64_t batch) const {
    if (rows == 0 || columns == 0 || batch == 0)
        return 0;
    return static_cast<std::size_t>((rows - 1) * row_stride + (columns - 1) * column_stride + (batch - 1) * batch_stride + 1) * element_size(type);
}

void Product::check(const Memory& memory) const {
    check_matrix(memory, a, batch, "A");
    check_matrix(memory, b, batch, "B");
    check_matrix(memory, d, batch, "the result");
    if (beta != 0)
        check_matrix(memory, c, batch, "C");
    if (bias != nullptr)
        check_matrix(memory, Matrix::column_major(bias, d.type, d.rows, 1, d.rows), 1, "the bias");
    require(a.columns == 0 || (!overlap(d, a, batch) && !overlap(d, b, batch)), CUDA_ERROR_ILLEGAL_ADDRESS, "the result lies across an operand");
}

void Product::run() const {
    for (std::int64_t i = 0; i < batch; i++)
        run_one(i);
}

void Product::run_one(std::int64_t index) const {
    static Tile& tile = forever<Tile>();  // one product runs at a time
    const std::int64_t depth = a.columns;
    const auto at = [index](const Matrix& m, std::int64_t i, std::int64_t j) {
        return index * m.batch_stride + i * m.row_stride + j * m.column_stride;
    };
    for (std::int64_t j0 = 0; j0 < d.columns; j0 += Tile::columns)
        for (std::int64_t i0 = 0; i0 < d.rows; i0 += Tile::rows) {
            const auto rows = std::min<std::int64_t>(Tile::rows, d.rows - i0), columns = std::min<std::int64_t>(Tile::columns, d.columns - j0);
            if ((part == Part::lower && j0 >= i0 + rows) || (part == Part::upper && i0 >= j0 + columns))
                continue;
            tile.clear();
            for (std::int64_t k0 = 0; k0 < depth; k0 += Tile::depth) {
                const auto k = std::min<std::int64_t>(Tile::depth, depth - k0);
                tile.load_left(k, rows, [&](std::int64_t i, std::int64_t l) { return load_element(a.data, a.type, at(a, i0 + i, k0 + l)); });
                tile.load_right(k, columns, [&](std::int64_t l, std::int64_t j) { return load_element(b.data, b.type, at(b, k0 + l, j0 + j)); });
                tile.multiply(k);
            }
            for (std::int64_t j = 0; j < columns; j++)
                for (std::int64_t i = 0; i < rows; i++) {
                    if ((part == Part::lower && j0 + j > i0 + i) || (part == Part::upper && i0 + i > j0 + j))
                        continue;
                    double value = alpha * tile.sum(i, j);
                    value += beta == 0 ? 0 : beta * load_element(c.data, c.type, at(c, i0 + i, j0 + j));
                    value += bias == nullptr ? 0 : load_element(bias, d.type, i0 + i);
                    store_element(const_cast<void*>(d.data), d.type, at(d, i0 + i, j0 + j), relu && value < 0 ? 0 : value);
                }
        }
}

}  // namespace cudasim
