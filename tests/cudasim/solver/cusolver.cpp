#include "abi/cusolver.h"

#include "abi/cuda.h"
#include "blas/blas_call.h"
#include "blas/element.h"
#include "core/forever.h"
#include "core/settings.h"
#include "core/trace.h"
#include "device/memory.h"
#include "factorisations.h"

#include <algorithm>
#include <cstring>

using namespace cudasim;

namespace {

struct Handle {
    CUstream_st* stream = nullptr;
};
struct Parameters {};

template <class T> Handles<T>& all() {
    static Handles<T>& objects = forever<Handles<T>>();
    return objects;
}

Handle& handle_of(cusolverDnHandle_t handle) {
    const auto found = all<Handle>().find(handle);
    require(found != nullptr, CUSOLVER_STATUS_NOT_INITIALIZED, "no such handle");
    return *found;
}

template <class Body> cusolverStatus_t solver_call(const char* call, Body body) {
    return enter<cusolverStatus_t>(call, [&] {
        strike(call);
        Context* context = Context::current();
        require(context != nullptr, CUSOLVER_STATUS_NOT_INITIALIZED, "this thread has no current context");
        if (context->fatal() != 0)
            fail(CUSOLVER_STATUS_EXECUTION_FAILED, "");
        body(*context);
    });
}

/// A square or rectangular operand of a factorisation, column-major, in memory of the device.
struct Operand {
    void* data;
    cudaDataType type;
    std::int64_t rows, columns, leading;
    std::int64_t batch = 1;

    /// At the call: what cuSOLVER refuses.
    void check() const {
        require(type == CUDA_R_32F || type == CUDA_R_64F, CUSOLVER_STATUS_NOT_SUPPORTED, "a type that is not known here");
        require(rows >= 0 && columns >= 0 && batch >= 0, CUSOLVER_STATUS_INVALID_VALUE, "a size is negative");
        if (leading < std::max<std::int64_t>(1, rows))
            fail(CUSOLVER_STATUS_INVALID_VALUE, text("the leading dimension is ", leading, ", the matrix has ", rows, " rows"));
    }
    std::int64_t at(std::int64_t i, std::int64_t j, std::int64_t b) const { return (b * columns + j) * leading + i; }

    Dense load(std::int64_t b) const {
        Dense m(rows, columns);
        for (std::int64_t j = 0; j < columns; j++)
            for (std::int64_t i = 0; i < rows; i++)
                m(i, j) = load_element(data, type, at(i, j, b));
        return m;
    }
    /// The triangle of a symmetric matrix, mirrored.
    Dense load_symmetric(cublasFillMode_t uplo, std::int64_t b) const {
        Dense m(rows, columns);
        for (std::int64_t j = 0; j < columns; j++)
            for (std::int64_t i = j; i < rows; i++)
                m(i, j) = m(j, i) = load_element(data, type, uplo == CUBLAS_FILL_MODE_LOWER ? at(i, j, b) : at(j, i, b));
        return m;
    }
    void store(const Dense& m, std::int64_t b) const {
        for (std::int64_t j = 0; j < columns; j++)
            for (std::int64_t i = 0; i < rows; i++)
                store_element(data, type, at(i, j, b), m(i, j));
    }
    /// As column-major memory, for the check of ranges.
    std::size_t extent() const {
        return rows == 0 || columns == 0 || batch == 0 ? 0 : static_cast<std::size_t>(at(rows - 1, columns - 1, batch - 1) + 1) * element_size(type);
    }
};

void check_range(const Memory& memory, const void* data, std::size_t bytes, const char* name) {
    if (bytes > 0 && !memory.holds(data, bytes))
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text(name, ", ", bytes, " bytes, reaches out of its memory: ", memory.describe(data)));
}

/// A vector that goes with an operand: eigenvalues, or the factors of reflectors.
struct Vector {
    void* data;
    cudaDataType type;
    std::int64_t size;

    std::size_t bytes() const { return static_cast<std::size_t>(size) * element_size(type); }
    void store(const std::vector<double>& values, std::int64_t first = 0) const {
        for (std::size_t i = 0; i < values.size(); i++)
            store_element(data, type, first + static_cast<std::int64_t>(i), values[i]);
    }
};

/// What _bufferSize promises, and what a factorisation then insists on.
std::size_t device_bytes(const Operand& a) { return 2 * static_cast<std::size_t>(a.leading * a.columns * a.batch) * element_size(a.type) + 256; }
std::size_t host_bytes(const Operand& a) { return static_cast<std::size_t>(a.columns) * element_size(a.type); }

struct Buffers {
    Workspace device;
    void* host;
    std::size_t host_size;

    void check(const Operand& a) const {
        require(device.size >= device_bytes(a) && host_size >= host_bytes(a), CUSOLVER_STATUS_INVALID_VALUE,
                "a workspace is smaller than _bufferSize said");
        require(host != nullptr || host_bytes(a) == 0, CUSOLVER_STATUS_INVALID_VALUE, "the workspace of the host is null");
    }
};

/// Queues a factorisation that writes a, the vector, info (one int for each matrix) and, as the real one may, all of its workspaces.
void queue(Context& context, const Handle& handle, const char* name, const Operand& a, const Vector& vector, const Buffers& buffers, int* info,
           Stream::Work work) {
    std::shared_ptr<Stream> stream;
    try {
        stream = context.stream(handle.stream);
    } catch (const Failure& failure) {
        fail(CUSOLVER_STATUS_EXECUTION_FAILED, failure.what);
    }
    trace(text(name, " ", a.rows, "x", a.columns, " batch ", a.batch, " type ", a.type, " in stream ", context.number(*stream)));
    std::memset(buffers.host, 0xff, buffers.host_size);
    context.enqueue(stream, [&context, a, vector, buffers, info, work = std::move(work)] {
        const Memory& memory = context.memory();
        check_range(memory, a.data, a.extent(), "the matrix");
        check_range(memory, vector.data, vector.bytes(), "the vector");
        check_range(memory, info, static_cast<std::size_t>(a.batch) * sizeof *info, "info");
        buffers.device.check(memory);
        buffers.device.scribble();
        work();
    });
}

void syev(Context& context, cusolverDnHandle_t solver, const char* name, cusolverEigMode_t jobz, cublasFillMode_t uplo, const Operand& a,
          const Vector& w, cudaDataType compute, const Buffers& buffers, int* info) {
    a.check();
    require(w.type == a.type && compute == a.type, CUSOLVER_STATUS_NOT_SUPPORTED, "the matrix, its eigenvalues and the computation differ in type");
    buffers.check(a);
    queue(context, handle_of(solver), name, a, w, buffers, info, [=] {
        for (std::int64_t b = 0; b < a.batch; b++) {
            const Eigen eigen = symmetric_eigen(a.load_symmetric(uplo, b));
            w.store(eigen.values, b * a.rows);
            a.store(jobz == CUSOLVER_EIG_MODE_VECTOR ? eigen.vectors : Dense(a.rows, a.columns), b);
            info[b] = eigen.converged ? 0 : 1;
        }
    });
}

}  // namespace

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
    return solver_call(__func__, [&](Context&) { *handle = reinterpret_cast<cusolverDnHandle_t>(all<Handle>().add(std::make_shared<Handle>())); });
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        all<Handle>().remove(handle);
    });
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t streamId) {
    return solver_call(__func__, [&](Context&) { handle_of(handle).stream = streamId; });
}

cusolverStatus_t cusolverGetProperty(libraryPropertyType type, int* value) {
    // cuSOLVER 11 came with CUDA 12, cuSOLVER 12 with CUDA 13.
    *value = type == MAJOR_VERSION ? settings().toolkit / 1000 - 1 : type == MINOR_VERSION ? settings().toolkit % 1000 / 10 : 0;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverGetVersion(int* version) {
    *version = (settings().toolkit / 1000 - 1) * 1000 + settings().toolkit % 1000 * 10;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params) {
    return solver_call(__func__,
                       [&](Context&) { *params = reinterpret_cast<cusolverDnParams_t>(all<Parameters>().add(std::make_shared<Parameters>())); });
}

cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params) {
    return solver_call(__func__, [&](Context&) {
        require(all<Parameters>().find(params) != nullptr, CUSOLVER_STATUS_INVALID_VALUE, "no such parameters");
        all<Parameters>().remove(params);
    });
}

cusolverStatus_t cusolverDnSetDeterministicMode(cusolverDnHandle_t handle, cusolverDeterministicMode_t) {
    return solver_call(__func__, [&](Context&) { handle_of(handle); });
}

cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t, cusolverEigMode_t, cublasFillMode_t, int64_t n,
                                             cudaDataType dataTypeA, const void*, int64_t lda, cudaDataType, const void*, cudaDataType,
                                             size_t* workspaceInBytesOnDevice, size_t* workspaceInBytesOnHost) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        const Operand a{nullptr, dataTypeA, n, n, lda};
        a.check();
        *workspaceInBytesOnDevice = device_bytes(a), *workspaceInBytesOnHost = host_bytes(a);
    });
}

cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t handle, cusolverDnParams_t, cusolverEigMode_t jobz, cublasFillMode_t uplo, int64_t n,
                                  cudaDataType dataTypeA, void* A, int64_t lda, cudaDataType dataTypeW, void* W, cudaDataType computeType,
                                  void* bufferOnDevice, size_t workspaceInBytesOnDevice, void* bufferOnHost, size_t workspaceInBytesOnHost,
                                  int* info) {
    return solver_call(__func__, [&](Context& context) {
        syev(context, handle, "syevd", jobz, uplo, {A, dataTypeA, n, n, lda}, {W, dataTypeW, n}, computeType,
             {{bufferOnDevice, workspaceInBytesOnDevice}, bufferOnHost, workspaceInBytesOnHost}, info);
    });
}

cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t, cusolverEigMode_t, cublasFillMode_t, int64_t n,
                                                   cudaDataType dataTypeA, const void*, int64_t lda, cudaDataType, const void*, cudaDataType,
                                                   size_t* workspaceInBytesOnDevice, size_t* workspaceInBytesOnHost, int64_t batchSize) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        const Operand a{nullptr, dataTypeA, n, n, lda, batchSize};
        a.check();
        *workspaceInBytesOnDevice = device_bytes(a), *workspaceInBytesOnHost = host_bytes(a);
    });
}

cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t handle, cusolverDnParams_t, cusolverEigMode_t jobz, cublasFillMode_t uplo, int64_t n,
                                        cudaDataType dataTypeA, void* A, int64_t lda, cudaDataType dataTypeW, void* W, cudaDataType computeType,
                                        void* bufferOnDevice, size_t workspaceInBytesOnDevice, void* bufferOnHost, size_t workspaceInBytesOnHost,
                                        int* info, int64_t batchSize) {
    return solver_call(__func__, [&](Context& context) {
        syev(context, handle, "syevBatched", jobz, uplo, {A, dataTypeA, n, n, lda, batchSize}, {W, dataTypeW, n * batchSize}, computeType,
             {{bufferOnDevice, workspaceInBytesOnDevice}, bufferOnHost, workspaceInBytesOnHost}, info);
    });
}

cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t, cublasFillMode_t, int64_t n, cudaDataType dataTypeA,
                                             const void*, int64_t lda, cudaDataType, size_t* workspaceInBytesOnDevice,
                                             size_t* workspaceInBytesOnHost) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        const Operand a{nullptr, dataTypeA, n, n, lda};
        a.check();
        *workspaceInBytesOnDevice = device_bytes(a), *workspaceInBytesOnHost = host_bytes(a);
    });
}

cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t handle, cusolverDnParams_t, cublasFillMode_t uplo, int64_t n, cudaDataType dataTypeA, void* A,
                                  int64_t lda, cudaDataType computeType, void* bufferOnDevice, size_t workspaceInBytesOnDevice, void* bufferOnHost,
                                  size_t workspaceInBytesOnHost, int* info) {
    return solver_call(__func__, [&](Context& context) {
        const Operand a{A, dataTypeA, n, n, lda};
        const Buffers buffers{{bufferOnDevice, workspaceInBytesOnDevice}, bufferOnHost, workspaceInBytesOnHost};
        a.check();
        require(computeType == dataTypeA, CUSOLVER_STATUS_NOT_SUPPORTED, "the matrix and the computation differ in type");
        buffers.check(a);
        queue(context, handle_of(handle), "potrf", a, {nullptr, dataTypeA, 0}, buffers, info, [=] {
            Dense factor = a.load_symmetric(uplo, 0);
            *info = static_cast<int>(cholesky(factor));
            // The other triangle stays as it was.
            for (std::int64_t j = 0; j < n; j++)
                for (std::int64_t i = j; i < n; i++)
                    store_element(A, dataTypeA, uplo == CUBLAS_FILL_MODE_LOWER ? a.at(i, j, 0) : a.at(j, i, 0), factor(i, j));
        });
    });
}

cusolverStatus_t cusolverDnXgeqrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t, int64_t m, int64_t n, cudaDataType dataTypeA, const void*,
                                             int64_t lda, cudaDataType, const void*, cudaDataType, size_t* workspaceInBytesOnDevice,
                                             size_t* workspaceInBytesOnHost) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        const Operand a{nullptr, dataTypeA, m, n, lda};
        a.check();
        *workspaceInBytesOnDevice = device_bytes(a), *workspaceInBytesOnHost = host_bytes(a);
    });
}

cusolverStatus_t cusolverDnXgeqrf(cusolverDnHandle_t handle, cusolverDnParams_t, int64_t m, int64_t n, cudaDataType dataTypeA, void* A, int64_t lda,
                                  cudaDataType dataTypeTau, void* tau, cudaDataType computeType, void* bufferOnDevice,
                                  size_t workspaceInBytesOnDevice, void* bufferOnHost, size_t workspaceInBytesOnHost, int* info) {
    return solver_call(__func__, [&](Context& context) {
        const Operand a{A, dataTypeA, m, n, lda};
        const Vector factors{tau, dataTypeTau, std::min(m, n)};
        const Buffers buffers{{bufferOnDevice, workspaceInBytesOnDevice}, bufferOnHost, workspaceInBytesOnHost};
        a.check();
        require(dataTypeTau == dataTypeA && computeType == dataTypeA, CUSOLVER_STATUS_NOT_SUPPORTED,
                "the matrix, tau and the computation differ in type");
        buffers.check(a);
        queue(context, handle_of(handle), "geqrf", a, factors, buffers, info, [=] {
            Dense factor = a.load(0);
            factors.store(householder_qr(factor));
            a.store(factor, 0);
            *info = 0;
        });
    });
}

cusolverStatus_t cusolverDnDorgqr_bufferSize(cusolverDnHandle_t handle, int m, int n, int, const double*, int lda, const double*, int* lwork) {
    return solver_call(__func__, [&](Context&) {
        handle_of(handle);
        const Operand a{nullptr, CUDA_R_64F, m, n, lda};
        a.check();
        *lwork = static_cast<int>(device_bytes(a) / sizeof(double));
    });
}

cusolverStatus_t cusolverDnDorgqr(cusolverDnHandle_t handle, int m, int n, int k, double* A, int lda, const double* tau, double* work, int lwork,
                                  int* info) {
    return solver_call(__func__, [&](Context& context) {
        const Operand a{A, CUDA_R_64F, m, n, lda};
        a.check();
        require(n <= m && k >= 0 && k <= n, CUSOLVER_STATUS_INVALID_VALUE, "k reflectors of length m give n columns: k <= n <= m");
        const auto bytes = static_cast<std::size_t>(std::max(0, lwork)) * sizeof(double);
        require(bytes >= device_bytes(a) / sizeof(double) * sizeof(double), CUSOLVER_STATUS_INVALID_VALUE, "lwork is smaller than _bufferSize said");
        const Vector factors{const_cast<double*>(tau), CUDA_R_64F, k};
        queue(context, handle_of(handle), "orgqr", a, factors, {{work, bytes}, nullptr, 0}, info, [=] {
            Dense q = a.load(0);
            householder_q(q, {tau, tau + k});
            a.store(q, 0);
            *info = 0;
        });
    });
}
