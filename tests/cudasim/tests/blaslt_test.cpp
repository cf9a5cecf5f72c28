// cuBLASLt: descriptors, heuristics, epilogues, and what an algorithm counts on.
#include "abi/cublaslt.h"
#include "gpu.h"

using namespace test;

namespace {

#define LT(call) CHECK_EQUAL(call, CUBLAS_STATUS_SUCCESS)

/// d (2,3) = a (2,4) b (4,3) of ones, column-major, with everything that cublasLtMatmul takes.
struct Product {
    explicit Product(cublasLtOrder_t order = CUBLASLT_ORDER_COL) {
        LT(cublasLtCreate(&handle));
        LT(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F));
        layout(&a, 2, 4, order), layout(&b, 4, 3, order), layout(&d, 2, 3, order);
        LT(cublasLtMatmulPreferenceCreate(&preference));
    }
    ~Product() {
        cublasLtMatmulPreferenceDestroy(preference);
        for (const auto matrix : {a, b, d})
            cublasLtMatrixLayoutDestroy(matrix);
        cublasLtMatmulDescDestroy(description);
        cublasLtDestroy(handle);
    }
    Product(const Product&) = delete;
    Product& operator=(const Product&) = delete;

    static void layout(cublasLtMatrixLayout_t* matrix, std::uint64_t rows, std::uint64_t columns, cublasLtOrder_t order) {
        LT(cublasLtMatrixLayoutCreate(matrix, CUDA_R_32F, rows, columns, 4));
        LT(cublasLtMatrixLayoutSetAttribute(*matrix, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order));
    }
    template <class T> void describe(cublasLtMatmulDescAttributes_t attribute, T value) const {
        LT(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value));
    }
    template <class T> void prefer(cublasLtMatmulPreferenceAttributes_t attribute, T value) const {
        LT(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
    }
    cublasLtMatmulHeuristicResult_t choose() const {
        cublasLtMatmulHeuristicResult_t result;
        int count = 0;
        LT(cublasLtMatmulAlgoGetHeuristic(handle, description, a, b, d, d, preference, 1, &result, &count));
        CHECK_EQUAL(count, 1);
        return result;
    }
    cublasStatus_t run(const cublasLtMatmulAlgo_t* algo, float beta, const Buffer<float>& workspace, std::size_t workspace_bytes) const {
        const float alpha = 1;
        return cublasLtMatmul(handle, description, &alpha, x.pointer(), a, y.pointer() + offset, b, &beta, z.pointer(), d, z.pointer(), d, algo,
                              workspace.pointer(), workspace_bytes, nullptr);
    }

    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t description = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
    cublasLtMatmulPreference_t preference = nullptr;
    Buffer<float> x{std::vector<float>(16, 1)}, y{std::vector<float>(17, 1)}, z{std::vector<float>(12, 2)};
    int offset = 0;
};

}  // namespace

TEST(an_algorithm_multiplies) {
    const Gpu gpu;
    for (const auto order : {CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW}) {
        const Product product(order);
        const Buffer<float> workspace(1 << 18);
        product.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 20);
        const auto chosen = product.choose();
        CHECK_EQUAL(chosen.workspaceSize, std::size_t{1} << 20);
        LT(product.run(&chosen.algo, 1, workspace, chosen.workspaceSize));
        const auto z = product.z.read();
        CHECK_EQUAL(z[0], 6.0f);
        CHECK_EQUAL(z[5], 6.0f);
        CHECK_EQUAL(z[3], 2.0f);
        CHECK_EQUAL(product.run(&chosen.algo, 1, workspace, 1000), CUBLAS_STATUS_INVALID_VALUE);
    }
}

TEST(one_of_two_algorithms_needs_no_workspace) {
    const Gpu gpu;
    const Product product;
    cublasLtMatmulHeuristicResult_t results[8];
    int count = 0;
    const auto ask = [&] {
        LT(cublasLtMatmulAlgoGetHeuristic(product.handle, product.description, product.a, product.b, product.d, product.d, product.preference, 8, results,
                                          &count));
    };
    ask();
    CHECK_EQUAL(count, 1);
    product.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 20);
    ask();
    CHECK_EQUAL(count, 2);
    const Buffer<float> none(1);
    LT(product.run(&results[1].algo, 0, none, 0));
    CHECK_EQUAL(product.z.read()[0], 4.0f);
}

TEST(a_bias_is_added_to_each_column) {
    const Gpu gpu;
    const Product product;
    const Buffer<float> bias(std::vector<float>{10, -100}), none(1);
    product.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    product.describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.pointer());
    product.describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
    LT(product.run(nullptr, 0, none, 0));
    CHECK_EQUAL(product.z.read()[0], 14.0f);
    CHECK_EQUAL(product.z.read()[5], -96.0f);
    product.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU_BIAS);
    LT(product.run(nullptr, 0, none, 0));
    CHECK_EQUAL(product.z.read()[4], 14.0f);
    CHECK_EQUAL(product.z.read()[5], 0.0f);
    product.describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF);
    CHECK_EQUAL(product.run(nullptr, 0, none, 0), CUBLAS_STATUS_NOT_SUPPORTED);
    product.describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
    product.describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.pointer() + 1);
    CHECK_EQUAL(product.run(nullptr, 0, none, 0), CUBLAS_STATUS_NOT_SUPPORTED);
    CHECK_CONTAINS(cudasimReport(), "the bias is not aligned to 16 bytes");
}

TEST(an_algorithm_is_held_to_the_alignment_it_counts_on) {
    const Gpu gpu;
    Product product;
    const Buffer<float> none(1);
    const auto aligned = product.choose();
    product.offset = 1;
    CHECK_EQUAL(product.run(&aligned.algo, 0, none, 0), CUBLAS_STATUS_NOT_SUPPORTED);
    CHECK_CONTAINS(cudasimReport(), "the algorithm counts on an alignment of 256 bytes, the address of B has less");
    product.prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 4u);
    const auto loose = product.choose();
    LT(product.run(&loose.algo, 0, none, 0));
    product.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU);
    CHECK_EQUAL(product.run(&loose.algo, 0, none, 0), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "chosen for another problem");
}

TEST(descriptors_that_do_not_fit_are_refused) {
    const Gpu gpu;
    const Product product;
    const Buffer<float> none(1);
    const std::int64_t wrong_size = 1;
    CHECK_EQUAL(cublasLtMatmulDescSetAttribute(product.description, CUBLASLT_MATMUL_DESC_TRANSA, &wrong_size, sizeof wrong_size),
                CUBLAS_STATUS_INVALID_VALUE);
    product.describe(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    CHECK_EQUAL(product.run(nullptr, 0, none, 0), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_CONTAINS(cudasimReport(), "the shapes of A, B and D do not fit");
    cublasLtMatmulDesc_t description;
    CHECK_EQUAL(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_64F, CUDA_R_32F), CUBLAS_STATUS_NOT_SUPPORTED);
}
