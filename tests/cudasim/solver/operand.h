#pragma once

#include "abi/cusolver.h"
#include "blas/blas_call.h"
#include "dense.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cudasim {

/// An operand of a factorisation, or a batch of them one behind the other: column-major, in memory of the device.
struct Operand {
    void* data;
    cudaDataType type;
    std::int64_t rows, columns, leading;
    std::int64_t batch = 1;

    /// At the call: throws for what cuSOLVER refuses.
    void check() const;
    std::int64_t at(std::int64_t i, std::int64_t j, std::int64_t b) const { return (b * columns + j) * leading + i; }
    std::size_t extent() const;

    Dense load(std::int64_t b) const;
    /// The triangle of a symmetric matrix, mirrored.
    Dense load_symmetric(cublasFillMode_t uplo, std::int64_t b) const;
    void store(const Dense& m, std::int64_t b) const;
    /// The lower triangle of m becomes a triangle of the operand, whose other one stays.
    void store_triangle(cublasFillMode_t uplo, const Dense& m, std::int64_t b) const;
};

/// A vector that goes with an operand: eigenvalues, or the factors of reflectors.
struct Vector {
    void* data;
    cudaDataType type;
    std::int64_t size;

    std::size_t extent() const;
    void store(const std::vector<double>& values, std::int64_t first = 0) const;
};

/// The workspaces of a factorisation.
struct Buffers {
    Workspace device;
    void* host;
    std::size_t host_size;

    /// What _bufferSize promises.
    static std::size_t device_bytes(const Operand& a);
    static std::size_t host_bytes(const Operand& a);
    /// Throws where they are smaller.
    void check(const Operand& a) const;
};

}  // namespace cudasim
