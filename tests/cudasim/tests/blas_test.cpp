// cuBLAS and cuBLASLt: products against three loops, and what is refused.
#include "abi/cublaslt.h"
#include "core/half.h"
#include "gpu.h"

#include <algorithm>
#include <cmath>

using namespace test;

namespace {

struct Blas {
    Blas() { CHECK_EQUAL(cublasCreate_v2(&handle), CUBLAS_STATUS_SUCCESS); }
    ~Blas() { cublasDestroy_v2(handle); }
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;
    cublasHandle_t handle = nullptr;
};

/// Column-major values that are exact in 16 bits.
std::vector<float> values(std::size_t n, unsigned seed) {
    std::vector<float> all(n);
    for (std::size_t i = 0; i < n; i++)
        all[i] = static_cast<float>((i * 7919 + seed * 104729) % 33) / 8 - 2;
    return all;
}

std::vector<std::uint16_t> narrow(const std::vector<float>& from, cudaDataType type) {
    std::vector<std::uint16_t> to(from.size());
    std::transform(from.begin(), from.end(), to.begin(), type == CUDA_R_16F ? cudasim::to_half : cudasim::to_bf16);
    return to;
}

struct Case {
    cublasOperation_t on_a, on_b;
    int m, n, k;
    float alpha, beta;

    int lda() const { return (on_a == CUBLAS_OP_N ? m : k) + 3; }
    int ldb() const { return (on_b == CUBLAS_OP_N ? k : n) + 1; }
    int ldc() const { return m + 2; }
    std::size_t a_size() const { return static_cast<std::size_t>(lda() * (on_a == CUBLAS_OP_N ? k : m)); }
    std::size_t b_size() const { return static_cast<std::size_t>(ldb() * (on_b == CUBLAS_OP_N ? n : k)); }
    std::size_t c_size() const { return static_cast<std::size_t>(ldc() * n); }

    std::vector<float> expected(const std::vector<float>& a, const std::vector<float>& b, std::vector<float> c) const {
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) {
                double sum = 0;
                for (int l = 0; l < k; l++)
                    sum += double(a[std::size_t(on_a == CUBLAS_OP_N ? l * lda() + i : i * lda() + l)]) *
                           double(b[std::size_t(on_b == CUBLAS_OP_N ? j * ldb() + l : l * ldb() + j)]);
                float& result = c[std::size_t(j * ldc() + i)];
                result = static_cast<float>(double(alpha) * sum + (beta == 0 ? 0 : double(beta) * double(result)));
            }
        return c;
    }
};

const Case cases[] = {
    {CUBLAS_OP_N, CUBLAS_OP_N, 5, 7, 3, 1, 0},
    {CUBLAS_OP_T, CUBLAS_OP_N, 97, 33, 129, 0.5f, 1},
    {CUBLAS_OP_N, CUBLAS_OP_T, 100, 257, 300, -1, 0.25f},
    {CUBLAS_OP_T, CUBLAS_OP_T, 1, 1, 513, 2, 0},
    {CUBLAS_OP_N, CUBLAS_OP_N, 6, 8, 0, 1, 2},
    {CUBLAS_OP_N, CUBLAS_OP_N, 0, 8, 4, 1, 2},
};

bool same(const std::vector<float>& x, const std::vector<float>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), [](float u, float v) { return u == v || (std::isnan(u) && std::isnan(v)); });
}

}  // namespace

TEST(fp32_products_agree_with_three_loops) {
    const Gpu gpu;
    const Blas blas;
    for (const Case& t : cases) {
        const auto a = values(t.a_size() + 1, 1), b = values(t.b_size() + 1, 2), c = values(t.c_size() + 1, 3);
        const Buffer<float> x(a), y(b), z(c);
        CHECK_EQUAL(cublasGemmEx(blas.handle, t.on_a, t.on_b, t.m, t.n, t.k, &t.alpha, x.pointer(), CUDA_R_32F, t.lda(), y.pointer(), CUDA_R_32F,
                                 t.ldb(), &t.beta, z.pointer(), CUDA_R_32F, t.ldc(), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                    CUBLAS_STATUS_SUCCESS);
        CHECK(same(z.read(), t.expected(a, b, c)));
    }
}

TEST(products_of_16_bits_widen_and_round_once) {
    const Gpu gpu;
    const Blas blas;
    const Case t = {CUBLAS_OP_T, CUBLAS_OP_N, 40, 30, 50, 1, 0};
    const auto a = values(t.a_size(), 1), b = values(t.b_size(), 2);
    const auto c = t.expected(a, b, std::vector<float>(t.c_size(), NAN));
    for (const cudaDataType type : {CUDA_R_16F, CUDA_R_16BF}) {
        const Buffer<std::uint16_t> x(narrow(a, type)), y(narrow(b, type)), rounded(t.c_size());
        const Buffer<float> z(t.c_size());
        const auto product = [&](void* result, cudaDataType result_type) {
            return cublasGemmEx(blas.handle, t.on_a, t.on_b, t.m, t.n, t.k, &t.alpha, x.pointer(), type, t.lda(), y.pointer(), type, t.ldb(), &t.beta,
                                result, result_type, t.ldc(), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
        };
        CHECK_EQUAL(product(z.pointer(), CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
        CHECK(same(z.read(), c));
        CHECK_EQUAL(product(rounded.pointer(), type), CUBLAS_STATUS_SUCCESS);
        const auto result = rounded.read();
        for (int j = 0; j < t.n; j++)
            for (int i = 0; i < t.m; i++) {
                const auto at = std::size_t(j * t.ldc() + i);
                CHECK_EQUAL(result[at], type == CUDA_R_16F ? cudasim::to_half(c[at]) : cudasim::to_bf16(c[at]));
            }
        CHECK_EQUAL(product(z.pointer(), CUDA_R_64F), CUBLAS_STATUS_NOT_SUPPORTED);
    }
}

TEST(a_batch_is_many_products) {
    const Gpu gpu;
    const Blas blas;
    const double one = 1, zero = 0;
    std::vector<double> a(3 * 4), b(3 * 4);
    for (std::size_t i = 0; i < 12; i++)
        a[i] = double(i), b[i] = double(i % 4 == 0 || i % 4 == 3);  // three identities
    const Buffer<double> x(a), y(b), z(12);
    CHECK_EQUAL(cublasDgemmStridedBatched(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, x.pointer(), 2, 4, y.pointer(), 2, 4, &zero,
                                          z.pointer(), 2, 4, 3),
                CUBLAS_STATUS_SUCCESS);
    CHECK(z.read() == a);
}

TEST(syrk_writes_one_triangle) {
    const Gpu gpu;
    const Blas blas;
    const double one = 1, zero = 0;
    const Buffer<double> x(std::vector<double>{1, 2, 3, 4, 5, 6}), c(std::vector<double>(4, -1));  // (2,3)
    CHECK_EQUAL(cublasDsyrk_v2_64(blas.handle, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, 2, 3, &one, x.pointer(), 2, &zero, c.pointer(), 2),
                CUBLAS_STATUS_SUCCESS);
    CHECK((c.read() == std::vector<double>{35, 44, -1, 56}));
    CHECK_EQUAL(cublasDsyrk_v2(blas.handle, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, 2, 3, &one, x.pointer(), 3, &zero, c.pointer(), 2),
                CUBLAS_STATUS_SUCCESS);
    CHECK((c.read() == std::vector<double>{14, 44, 32, 77}));
}

TEST(a_product_is_refused_or_ends_the_context) {
    const float one = 1, zero = 0;
    const auto product = [&](cublasHandle_t handle, const float* a, int lda, float* c) {
        return cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, a, lda, a, 4, &zero, c, 4);
    };
    const auto fails = [&](std::size_t a_size, std::size_t c_offset, int code, const char* why) {
        const Gpu gpu;
        const Blas blas;
        const Buffer<float> a(a_size);
        const Buffer<float> c(16);
        CHECK_EQUAL(product(blas.handle, a.pointer(), 4, c_offset == 0 ? c.pointer() : a.pointer() + c_offset), CUBLAS_STATUS_SUCCESS);
        CHECK_EQUAL(cuCtxSynchronize(), static_cast<CUresult>(code));
        CHECK_CONTAINS(cudasimReport(), why);
        CHECK_EQUAL(product(blas.handle, a.pointer(), 4, c.pointer()), CUBLAS_STATUS_EXECUTION_FAILED);
    };
    fails(15, 0, CUDA_ERROR_ILLEGAL_ADDRESS, "A, 64 bytes, reaches out of its memory: byte 0 of device allocation #1 (60 bytes)");
    fails(28, 12, CUDA_ERROR_ILLEGAL_ADDRESS, "the result lies across an operand");

    const Gpu gpu;
    const Blas blas;
    const Buffer<float> a(16), c(16);
    CHECK_EQUAL(product(blas.handle, a.pointer(), 3, c.pointer()), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "the leading dimension of A is 3, it has 4 rows");
    CHECK_EQUAL(product(nullptr, a.pointer(), 4, c.pointer()), CUBLAS_STATUS_NOT_INITIALIZED);
}

TEST(windows_of_one_matrix_may_lie_beside_each_other) {
    const Gpu gpu;
    const Blas blas;
    const float one = 1, zero = 0;
    const Buffer<float> all(values(8 * 4, 1));  // a (4,4) above c (4,4)
    CHECK_EQUAL(cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, all.pointer(), 8, all.pointer(), 8, &zero, all.pointer() + 4, 8),
                CUBLAS_STATUS_SUCCESS);
    SUCCEED(cuCtxSynchronize());
    CHECK_EQUAL(cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, all.pointer(), 8, all.pointer(), 8, &zero, all.pointer() + 3, 8),
                CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(a_workspace_is_written_to) {
    const Gpu gpu;
    const Blas blas;
    const float one = 1, zero = 0;
    const Buffer<float> a(std::vector<float>(16, 1)), c(16), workspace(std::vector<float>(64, 1));
    CHECK_EQUAL(cublasSetWorkspace_v2(blas.handle, workspace.pointer() + 1, 4), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_EQUAL(cublasSetWorkspace_v2(blas.handle, workspace.pointer(), 256), CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, a.pointer(), 4, a.pointer(), 4, &zero, c.pointer(), 4),
                CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(c.read()[15], 4.0f);
    CHECK(std::isnan(workspace.read()[63]));
}

TEST(factors_can_lie_on_the_device) {
    const Gpu gpu;
    const Blas blas;
    const Buffer<float> a(std::vector<float>(4, 1)), c(std::vector<float>(4, 1)), factors(std::vector<float>{3, 10});
    CHECK_EQUAL(cublasSetPointerMode_v2(blas.handle, CUBLAS_POINTER_MODE_DEVICE), CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, factors.pointer(), a.pointer(), 2, a.pointer(), 2,
                               factors.pointer() + 1, c.pointer(), 2),
                CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(c.read()[0], 16.0f);
}
