#include "abi/cusolver.h"

#include "abi/cuda.h"
#include "core/forever.h"
#include "core/settings.h"
#include "core/trace.h"
#include "device/memory.h"
#include "factorisations.h"
#include "operand.h"

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

void check_range(const Memory& memory, const void* data, std::size_t bytes, const char* name) {
    if (bytes > 0 && !memory.holds(data, bytes))
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text(name, ", ", bytes, " bytes, reaches out of its memory: ", memory.describe(data)));
}

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
    if (buffers.host_size > 0)
        std::memset(buffers.host, 0xff, buffers.host_size);
    context.enqueue(stream, [&context, a, vector, buffers, info, work = std::move(work)] {
        const Memory& memory = context.memory();
        check_range(memory, a.data, a.extent(), "the matrix");
        check_range(memory, vector.data, vector.extent(), "the vector");
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

/// The four _bufferSize functions of the X interface.
void buffer_sizes(cusolverDnHandle_t handle, const Operand& a, std::size_t* device, std::size_t* host) {
    handle_of(handle);
    a.check();
    *device = Buffers::device_bytes(a), *host = Buffers::host_bytes(a);
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
        buffer_sizes(handle, {nullptr, dataTypeA, n, n, lda}, workspaceInBytesOnDevice, workspaceInBytesOnHost);
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
        buffer_sizes(handle, {nullptr, dataTypeA, n, n, lda, batchSize}, workspaceInBytesOnDevice, workspaceInBytesOnHost);
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
        buffer_sizes(handle, {nullptr, dataTypeA, n, n, lda}, workspaceInBytesOnDevice, workspaceInBytesOnHost);
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
            a.store_triangle(uplo, factor, 0);
        });
    });
}

cusolverStatus_t cusolverDnXpotrs(cusolverDnHandle_t handle, cusolverDnParams_t, cublasFillMode_t uplo, int64_t n, int64_t nrhs,
                                  cudaDataType dataTypeA, const void* A, int64_t lda, cudaDataType dataTypeB, void* B, int64_t ldb, int* info) {
    return solver_call(__func__, [&](Context& context) {
        const Operand a{const_cast<void*>(A), dataTypeA, n, n, lda}, b{B, dataTypeB, n, nrhs, ldb};
        a.check();
        b.check();
        require(dataTypeB == dataTypeA, CUSOLVER_STATUS_NOT_SUPPORTED, "the factor and the right-hand sides differ in type");
        queue(context, handle_of(handle), "potrs", b, {nullptr, dataTypeB, 0}, {}, info, [=, &context] {
            check_range(context.memory(), a.data, a.extent(), "the factor");
            Dense columns = b.load(0);
            cholesky_solve(a.load_symmetric(uplo, 0), columns);
            b.store(columns, 0);
            *info = 0;
        });
    });
}

cusolverStatus_t cusolverDnXgeqrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t, int64_t m, int64_t n, cudaDataType dataTypeA, const void*,
                                             int64_t lda, cudaDataType, const void*, cudaDataType, size_t* workspaceInBytesOnDevice,
                                             size_t* workspaceInBytesOnHost) {
    return solver_call(__func__, [&](Context&) {
        buffer_sizes(handle, {nullptr, dataTypeA, m, n, lda}, workspaceInBytesOnDevice, workspaceInBytesOnHost);
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
        *lwork = static_cast<int>(Buffers::device_bytes(a) / sizeof(double));
    });
}

cusolverStatus_t cusolverDnDorgqr(cusolverDnHandle_t handle, int m, int n, int k, double* A, int lda, const double* tau, double* work, int lwork,
                                  int* info) {
    return solver_call(__func__, [&](Context& context) {
        const Operand a{A, CUDA_R_64F, m, n, lda};
        a.check();
        require(n <= m && k >= 0 && k <= n, CUSOLVER_STATUS_INVALID_VALUE, "k reflectors of length m give n columns: k <= n <= m");
        const auto bytes = static_cast<std::size_t>(std::max(0, lwork)) * sizeof(double);
        require(bytes >= Buffers::device_bytes(a) / sizeof(double) * sizeof(double), CUSOLVER_STATUS_INVALID_VALUE,
                "lwork is smaller than _bufferSize said");
        const Vector factors{const_cast<double*>(tau), CUDA_R_64F, k};
        queue(context, handle_of(handle), "orgqr", a, factors, {{work, bytes}, nullptr, 0}, info, [=] {
            Dense q = a.load(0);
            householder_q(q, {tau, tau + k});
            a.store(q, 0);
            *info = 0;
        });
    });
}
