#include "operand.h"

#include "blas/element.h"
#include "core/failure.h"
#include "core/text.h"

#include <algorithm>

namespace cudasim {

void Operand::check() const {
    require(type == CUDA_R_32F || type == CUDA_R_64F, CUSOLVER_STATUS_NOT_SUPPORTED, "a type that is not known here");
    require(rows >= 0 && columns >= 0 && batch >= 0, CUSOLVER_STATUS_INVALID_VALUE, "a size is negative");
    if (leading < std::max<std::int64_t>(1, rows))
        fail(CUSOLVER_STATUS_INVALID_VALUE, text("the leading dimension is ", leading, ", the matrix has ", rows, " rows"));
}

std::size_t Operand::extent() const {
    return rows == 0 || columns == 0 || batch == 0 ? 0 : static_cast<std::size_t>(at(rows - 1, columns - 1, batch - 1) + 1) * element_size(type);
}

Dense Operand::load(std::int64_t b) const {
    Dense m(rows, columns);
    for (std::int64_t j = 0; j < columns; j++)
        for (std::int64_t i = 0; i < rows; i++)
            m(i, j) = load_element(data, type, at(i, j, b));
    return m;
}

Dense Operand::load_symmetric(cublasFillMode_t uplo, std::int64_t b) const {
    Dense m(rows, columns);
    for (std::int64_t j = 0; j < columns; j++)
        for (std::int64_t i = j; i < rows; i++)
            m(i, j) = m(j, i) = load_element(data, type, uplo == CUBLAS_FILL_MODE_LOWER ? at(i, j, b) : at(j, i, b));
    return m;
}

void Operand::store(const Dense& m, std::int64_t b) const {
    for (std::int64_t j = 0; j < columns; j++)
        for (std::int64_t i = 0; i < rows; i++)
            store_element(data, type, at(i, j, b), m(i, j));
}

void Operand::store_triangle(cublasFillMode_t uplo, const Dense& m, std::int64_t b) const {
    for (std::int64_t j = 0; j < columns; j++)
        for (std::int64_t i = j; i < rows; i++)
            store_element(data, type, uplo == CUBLAS_FILL_MODE_LOWER ? at(i, j, b) : at(j, i, b), m(i, j));
}

std::size_t Vector::extent() const { return static_cast<std::size_t>(size) * element_size(type); }

void Vector::store(const std::vector<double>& values, std::int64_t first) const {
    for (std::size_t i = 0; i < values.size(); i++)
        store_element(data, type, first + static_cast<std::int64_t>(i), values[i]);
}

std::size_t Buffers::device_bytes(const Operand& a) {
    return 2 * static_cast<std::size_t>(a.leading * a.columns * a.batch) * element_size(a.type) + 256;
}
std::size_t Buffers::host_bytes(const Operand& a) { return static_cast<std::size_t>(a.columns) * element_size(a.type); }

void Buffers::check(const Operand& a) const {
    require(device.size >= device_bytes(a) && host_size >= host_bytes(a), CUSOLVER_STATUS_INVALID_VALUE,
            "a workspace is smaller than _bufferSize said");
    require(host != nullptr || host_size == 0, CUSOLVER_STATUS_INVALID_VALUE, "the workspace of the host is null");
}

}  // namespace cudasim
