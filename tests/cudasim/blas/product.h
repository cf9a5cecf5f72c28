#pragma once

#include "abi/library_types.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace cudasim {

class Memory;

/// A matrix, or a batch of them, in memory of the device: element (i, j) stands at i row_stride + j column_stride.
struct Matrix {
    const void* data;
    cudaDataType type;
    std::int64_t rows, columns, row_stride, column_stride;
    std::int64_t batch_stride = 0;

    /// As BLAS stores it.
    static Matrix column_major(const void* data, cudaDataType type, std::int64_t rows, std::int64_t columns, std::int64_t leading) {
        return {data, type, rows, columns, 1, leading};
    }
    Matrix transposed() const { return {data, type, columns, rows, column_stride, row_stride, batch_stride}; }

    /// Bytes from its first to behind its last element.
    std::size_t extent(std::int64_t batch) const;
};

/// d = activation(alpha a b + beta c + bias), accumulated in fp64.
struct Product {
    enum class Part { all, lower, upper };

    Matrix a, b, c, d;
    double alpha = 1, beta = 0;
    std::int64_t batch = 1;
    Part part = Part::all;       ///< of d that is written
    const void* bias = nullptr;  ///< one element for each row of d, of d's type
    bool relu = false;

    /// Throws ILLEGAL_ADDRESS where a matrix reaches out of its allocation, is not aligned to its elements, or d lies across an operand.
    void check(const Memory& memory) const;
    void run() const;

  private:
    void run_one(std::int64_t index) const;
};

}  // namespace cudasim
