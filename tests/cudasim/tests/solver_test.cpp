// cuSOLVER: factorisations by what they promise.
#include "abi/cusolver.h"
#include "gpu.h"

#include <cmath>

using namespace test;

namespace {

#define SOLVE(call) CHECK_EQUAL(call, CUSOLVER_STATUS_SUCCESS)

struct Solver {
    Solver() {
        SOLVE(cusolverDnCreate(&handle));
        SOLVE(cusolverDnCreateParams(&parameters));
    }
    ~Solver() {
        cusolverDnDestroyParams(parameters);
        cusolverDnDestroy(handle);
    }
    Solver(const Solver&) = delete;
    Solver& operator=(const Solver&) = delete;
    cusolverDnHandle_t handle = nullptr;
    cusolverDnParams_t parameters = nullptr;
};

constexpr std::int64_t n = 40;

/// Column-major, positive definite.
std::vector<double> definite() {
    std::vector<double> a(n * n);
    for (std::int64_t j = 0; j < n; j++)
        for (std::int64_t i = 0; i < n; i++)
            a[std::size_t(j * n + i)] = 1.0 / double(1 + std::abs(i - j)) + (i == j ? 2 : 0);
    return a;
}

double at(const std::vector<double>& m, std::int64_t i, std::int64_t j) { return m[std::size_t(j * n + i)]; }

/// max |x y^T - z|, all (n,n)
double error(const std::vector<double>& x, const std::vector<double>& y, const std::vector<double>& z) {
    double largest = 0;
    for (std::int64_t i = 0; i < n; i++)
        for (std::int64_t j = 0; j < n; j++) {
            double sum = -at(z, i, j);
            for (std::int64_t k = 0; k < n; k++)
                sum += at(x, i, k) * at(y, j, k);
            largest = std::max(largest, std::abs(sum));
        }
    return largest;
}

std::vector<double> identity() {
    std::vector<double> one(n * n, 0);
    for (std::int64_t i = 0; i < n; i++)
        one[std::size_t(i * n + i)] = 1;
    return one;
}

}  // namespace

TEST(eigenvectors_rebuild_the_matrix) {
    const Gpu gpu;
    const Solver solver;
    for (const auto uplo : {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER}) {
        auto half = definite();
        for (std::int64_t j = 0; j < n; j++)
            for (std::int64_t i = 0; i < n; i++)
                if (uplo == CUBLAS_FILL_MODE_LOWER ? i < j : i > j)
                    half[std::size_t(j * n + i)] = NAN;
        const Buffer<double> a(half), w(n);
        const Buffer<int> info(1);
        std::size_t device, host;
        SOLVE(cusolverDnXsyevd_bufferSize(solver.handle, solver.parameters, CUSOLVER_EIG_MODE_VECTOR, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F,
                                          w.pointer(), CUDA_R_64F, &device, &host));
        const Buffer<std::byte> workspace(device);
        std::vector<std::byte> host_workspace(host);
        const auto solve = [&](std::size_t bytes) {
            return cusolverDnXsyevd(solver.handle, solver.parameters, CUSOLVER_EIG_MODE_VECTOR, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F,
                                    w.pointer(), CUDA_R_64F, workspace.pointer(), bytes, host_workspace.data(), host, info.pointer());
        };
        CHECK_EQUAL(solve(device - 1), CUSOLVER_STATUS_INVALID_VALUE);
        SOLVE(solve(device));
        CHECK_EQUAL(info.read()[0], 0);
        const auto vectors = a.read(), values = w.read();
        auto scaled = vectors;
        for (std::int64_t j = 0; j < n; j++)
            for (std::int64_t i = 0; i < n; i++)
                scaled[std::size_t(j * n + i)] *= values[std::size_t(j)];
        CHECK(error(scaled, vectors, definite()) < 1e-13);
        CHECK(error(vectors, vectors, identity()) < 1e-13);
        for (std::size_t i = 1; i < n; i++)
            CHECK(values[i - 1] <= values[i]);
    }
}

TEST(a_batch_of_eigenproblems) {
    const Gpu gpu;
    const Solver solver;
    const Buffer<double> a(std::vector<double>{2, 1, 1, 2, 5, 0, 0, 3}), w(4);
    const Buffer<int> info(2);
    std::size_t device, host;
    SOLVE(cusolverDnXsyevBatched_bufferSize(solver.handle, solver.parameters, CUSOLVER_EIG_MODE_NOVECTOR, CUBLAS_FILL_MODE_LOWER, 2, CUDA_R_64F,
                                            a.pointer(), 2, CUDA_R_64F, w.pointer(), CUDA_R_64F, &device, &host, 2));
    const Buffer<std::byte> workspace(device);
    std::vector<std::byte> host_workspace(host);
    SOLVE(cusolverDnXsyevBatched(solver.handle, solver.parameters, CUSOLVER_EIG_MODE_NOVECTOR, CUBLAS_FILL_MODE_LOWER, 2, CUDA_R_64F, a.pointer(), 2,
                                 CUDA_R_64F, w.pointer(), CUDA_R_64F, workspace.pointer(), device, host_workspace.data(), host, info.pointer(), 2));
    const auto values = w.read();
    const double expected[] = {1, 3, 3, 5};
    for (std::size_t i = 0; i < 4; i++)
        CHECK(std::abs(values[i] - expected[i]) < 1e-14);
    CHECK_EQUAL(info.read()[1], 0);
}

TEST(a_cholesky_factor_rebuilds_the_matrix_and_names_the_minor_that_fails) {
    const Gpu gpu;
    const Solver solver;
    const auto factor = [&](const Buffer<double>& a, cublasFillMode_t uplo) {
        const Buffer<int> info(1);
        std::size_t device, host;
        SOLVE(cusolverDnXpotrf_bufferSize(solver.handle, solver.parameters, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, &device, &host));
        const Buffer<std::byte> workspace(device);
        std::vector<std::byte> host_workspace(host);
        SOLVE(cusolverDnXpotrf(solver.handle, solver.parameters, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, workspace.pointer(), device,
                               host_workspace.data(), host, info.pointer()));
        return info.read()[0];
    };
    const Buffer<double> a(definite());
    CHECK_EQUAL(factor(a, CUBLAS_FILL_MODE_LOWER), 0);
    auto lower = a.read();
    for (std::int64_t j = 0; j < n; j++)
        for (std::int64_t i = 0; i < j; i++) {
            CHECK_EQUAL(at(lower, i, j), at(definite(), i, j));
            lower[std::size_t(j * n + i)] = 0;
        }
    CHECK(error(lower, lower, definite()) < 1e-14);

    auto indefinite = definite();
    indefinite[7 * n + 7] = -1;
    CHECK_EQUAL(factor(Buffer<double>(indefinite), CUBLAS_FILL_MODE_UPPER), 8);
}

TEST(a_cholesky_factor_solves_for_many_right_hand_sides) {
    const Gpu gpu;
    const Solver solver;
    for (const auto uplo : {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER}) {
        const Buffer<double> a(definite()), b(definite());
        const Buffer<int> info(1);
        std::size_t device, host;
        SOLVE(cusolverDnXpotrf_bufferSize(solver.handle, solver.parameters, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, &device, &host));
        const Buffer<std::byte> workspace(device);
        std::vector<std::byte> host_workspace(host);
        SOLVE(cusolverDnXpotrf(solver.handle, solver.parameters, uplo, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, workspace.pointer(), device,
                               host_workspace.data(), host, info.pointer()));
        SOLVE(cusolverDnXpotrs(solver.handle, solver.parameters, uplo, n, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, b.pointer(), n, info.pointer()));
        CHECK(error(b.read(), identity(), identity()) < 1e-14);
        CHECK_EQUAL(info.read()[0], 0);
    }
}

TEST(reflectors_give_q_and_r_with_lapacks_signs) {
    const Gpu gpu;
    const Solver solver;
    const Buffer<double> a(definite()), tau(n);
    const Buffer<int> info(1);
    std::size_t device, host;
    int lwork;
    SOLVE(cusolverDnXgeqrf_bufferSize(solver.handle, solver.parameters, n, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, tau.pointer(), CUDA_R_64F,
                                      &device, &host));
    SOLVE(cusolverDnDorgqr_bufferSize(solver.handle, n, n, n, a.pointer(), n, tau.pointer(), &lwork));
    const Buffer<double> workspace(std::max(device / sizeof(double), std::size_t(lwork)));
    std::vector<std::byte> host_workspace(host);
    SOLVE(cusolverDnXgeqrf(solver.handle, solver.parameters, n, n, CUDA_R_64F, a.pointer(), n, CUDA_R_64F, tau.pointer(), CUDA_R_64F,
                           workspace.pointer(), device, host_workspace.data(), host, info.pointer()));
    const auto packed = a.read();
    std::vector<double> right(n * n, 0);  // R^T
    for (std::int64_t j = 0; j < n; j++)
        for (std::int64_t i = 0; i <= j; i++)
            right[std::size_t(i * n + j)] = at(packed, i, j);
    CHECK(at(packed, 0, 0) < 0);  // -sign(a(0,0)) |a(:,0)|
    SOLVE(cusolverDnDorgqr(solver.handle, n, n, n, a.pointer(), n, tau.pointer(), workspace.pointer(), lwork, info.pointer()));
    const auto q = a.read();
    CHECK(error(q, q, identity()) < 1e-13);
    CHECK(error(q, right, definite()) < 1e-13);
}
