// cuSOLVER (libcusolver.so.11 / .12): dense factorisations, with prototypes and values as in cusolverDn.h.
#pragma once

#include "library_types.h"
#include "linkage.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cusolverDnContext* cusolverDnHandle_t;
typedef struct cusolverDnParams* cusolverDnParams_t;

typedef enum {
    CUSOLVER_STATUS_SUCCESS = 0,
    CUSOLVER_STATUS_NOT_INITIALIZED = 1,
    CUSOLVER_STATUS_ALLOC_FAILED = 2,
    CUSOLVER_STATUS_INVALID_VALUE = 3,
    CUSOLVER_STATUS_EXECUTION_FAILED = 6,
    CUSOLVER_STATUS_INTERNAL_ERROR = 7,
    CUSOLVER_STATUS_NOT_SUPPORTED = 9,
    CUSOLVER_STATUS_INVALID_WORKSPACE = 31,
} cusolverStatus_t;

typedef enum { CUSOLVER_EIG_MODE_NOVECTOR = 0, CUSOLVER_EIG_MODE_VECTOR = 1 } cusolverEigMode_t;
typedef enum { CUSOLVER_DETERMINISTIC_RESULTS = 1, CUSOLVER_ALLOW_NON_DETERMINISTIC_RESULTS = 2 } cusolverDeterministicMode_t;

// == handle ==
CUDASIM_API cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle);
CUDASIM_API cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle);
CUDASIM_API cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t streamId);
CUDASIM_API cusolverStatus_t cusolverGetVersion(int* version);
CUDASIM_API cusolverStatus_t cusolverGetProperty(libraryPropertyType type, int* value);
CUDASIM_API cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params);
CUDASIM_API cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params);
CUDASIM_API cusolverStatus_t cusolverDnSetDeterministicMode(cusolverDnHandle_t handle, cusolverDeterministicMode_t mode);

// == factorisations ==
CUDASIM_API cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params, cusolverEigMode_t jobz,
                                                         cublasFillMode_t uplo, int64_t n, cudaDataType dataTypeA, const void* A, int64_t lda,
                                                         cudaDataType dataTypeW, const void* W, cudaDataType computeType,
                                                         size_t* workspaceInBytesOnDevice, size_t* workspaceInBytesOnHost);
CUDASIM_API cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t handle, cusolverDnParams_t params, cusolverEigMode_t jobz, cublasFillMode_t uplo,
                                              int64_t n, cudaDataType dataTypeA, void* A, int64_t lda, cudaDataType dataTypeW, void* W,
                                              cudaDataType computeType, void* bufferOnDevice, size_t workspaceInBytesOnDevice, void* bufferOnHost,
                                              size_t workspaceInBytesOnHost, int* info);
CUDASIM_API cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params, cusolverEigMode_t jobz,
                                                               cublasFillMode_t uplo, int64_t n, cudaDataType dataTypeA, const void* A, int64_t lda,
                                                               cudaDataType dataTypeW, const void* W, cudaDataType computeType,
                                                               size_t* workspaceInBytesOnDevice, size_t* workspaceInBytesOnHost, int64_t batchSize);
CUDASIM_API cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t handle, cusolverDnParams_t params, cusolverEigMode_t jobz,
                                                    cublasFillMode_t uplo, int64_t n, cudaDataType dataTypeA, void* A, int64_t lda,
                                                    cudaDataType dataTypeW, void* W, cudaDataType computeType, void* bufferOnDevice,
                                                    size_t workspaceInBytesOnDevice, void* bufferOnHost, size_t workspaceInBytesOnHost, int* info,
                                                    int64_t batchSize);
CUDASIM_API cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params, cublasFillMode_t uplo, int64_t n,
                                                         cudaDataType dataTypeA, const void* A, int64_t lda, cudaDataType computeType,
                                                         size_t* workspaceInBytesOnDevice, size_t* workspaceInBytesOnHost);
CUDASIM_API cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t handle, cusolverDnParams_t params, cublasFillMode_t uplo, int64_t n,
                                              cudaDataType dataTypeA, void* A, int64_t lda, cudaDataType computeType, void* bufferOnDevice,
                                              size_t workspaceInBytesOnDevice, void* bufferOnHost, size_t workspaceInBytesOnHost, int* info);
CUDASIM_API cusolverStatus_t cusolverDnXpotrs(cusolverDnHandle_t handle, cusolverDnParams_t params, cublasFillMode_t uplo, int64_t n, int64_t nrhs,
                                              cudaDataType dataTypeA, const void* A, int64_t lda, cudaDataType dataTypeB, void* B, int64_t ldb,
                                              int* info);
CUDASIM_API cusolverStatus_t cusolverDnXgeqrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params, int64_t m, int64_t n,
                                                         cudaDataType dataTypeA, const void* A, int64_t lda, cudaDataType dataTypeTau,
                                                         const void* tau, cudaDataType computeType, size_t* workspaceInBytesOnDevice,
                                                         size_t* workspaceInBytesOnHost);
CUDASIM_API cusolverStatus_t cusolverDnXgeqrf(cusolverDnHandle_t handle, cusolverDnParams_t params, int64_t m, int64_t n, cudaDataType dataTypeA,
                                              void* A, int64_t lda, cudaDataType dataTypeTau, void* tau, cudaDataType computeType,
                                              void* bufferOnDevice, size_t workspaceInBytesOnDevice, void* bufferOnHost,
                                              size_t workspaceInBytesOnHost, int* info);
CUDASIM_API cusolverStatus_t cusolverDnDorgqr_bufferSize(cusolverDnHandle_t handle, int m, int n, int k, const double* A, int lda, const double* tau,
                                                         int* lwork);
CUDASIM_API cusolverStatus_t cusolverDnDorgqr(cusolverDnHandle_t handle, int m, int n, int k, double* A, int lda, const double* tau, double* work,
                                              int lwork, int* info);
