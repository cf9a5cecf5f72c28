#include "abi/cublaslt.h"

#include "core/hash.h"
#include "core/settings.h"
#include "lt_descriptors.h"
#include "status_names.h"

#include <algorithm>

using namespace cudasim;

namespace {

/// What an algorithm of this double holds: the problem it was chosen for, and what it counts on. There are two, one of which needs no workspace.
struct Algorithm {
    std::uint64_t problem;
    std::uint64_t workspace;
    std::uint32_t alignment[4];  // of A, B, C, D

    static Algorithm read(const cublasLtMatmulAlgo_t& algo) {
        Algorithm algorithm;
        std::memcpy(&algorithm, algo.data, sizeof algorithm);
        return algorithm;
    }
    cublasLtMatmulAlgo_t write() const {
        cublasLtMatmulAlgo_t algo{};
        std::memcpy(algo.data, this, sizeof *this);
        return algo;
    }
};

constexpr std::uint64_t algorithm_workspace = 1 << 20;

struct Problem {
    const MatmulDescription& description;
    const MatrixLayout &a, &b, &c, &d;

    /// The product without its addresses. Throws where the descriptors do not fit together.
    Product product() const;
    std::uint64_t key() const {
        const auto bytes = [](const auto& object) { return std::string_view(reinterpret_cast<const char*>(&object), sizeof object); };
        return fnv(text(description.compute, description.transpose_a, description.transpose_b, description.epilogue),
                   fnv(bytes(a), fnv(bytes(b), fnv(bytes(c), fnv(bytes(d))))));
    }
};

Product Problem::product() const {
    scale_type(description.compute, a.type, b.type, d.type);
    Product product;
    product.a = description.transpose_a ? a.matrix().transposed() : a.matrix();
    product.b = description.transpose_b ? b.matrix().transposed() : b.matrix();
    product.c = c.matrix(), product.d = d.matrix();
    require(product.a.rows == product.d.rows && product.b.columns == product.d.columns && product.a.columns == product.b.rows,
            CUBLAS_STATUS_INVALID_VALUE, "the shapes of A, B and D do not fit");
    require(c.rows == d.rows && c.columns == d.columns && c.type == d.type, CUBLAS_STATUS_INVALID_VALUE, "C and D differ in shape or type");
    require(a.batch == d.batch && b.batch == d.batch && c.batch == d.batch, CUBLAS_STATUS_INVALID_VALUE, "the batch counts differ");
    product.batch = d.batch;
    product.relu = description.epilogue == CUBLASLT_EPILOGUE_RELU || description.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
    if (description.epilogue == CUBLASLT_EPILOGUE_BIAS || description.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS) {
        product.bias = description.bias;
        require(description.bias_type.value_or(d.type) == d.type, CUBLAS_STATUS_NOT_SUPPORTED, "the bias has another type than D");
        require(d.type != CUDA_R_64F, CUBLAS_STATUS_NOT_SUPPORTED, "products of fp64 take no bias");
    }
    return product;
}

Problem problem_of(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                   cublasLtMatrixLayout_t d) {
    return {matmul_description(description), matrix_layout(a), matrix_layout(b), matrix_layout(c), matrix_layout(d)};
}

void check_algorithm(const Algorithm& algorithm, const Problem& problem, const Product& product, std::size_t workspace) {
    require(algorithm.problem == problem.key(), CUBLAS_STATUS_INVALID_VALUE, "the algorithm was chosen for another problem");
    require(workspace >= algorithm.workspace, CUBLAS_STATUS_INVALID_VALUE, "the workspace is smaller than the algorithm asks for");
    const void* addresses[] = {product.a.data, product.b.data, product.c.data, product.d.data};
    for (std::size_t i = 0; i < 4; i++)
        if (reinterpret_cast<std::uintptr_t>(addresses[i]) % algorithm.alignment[i] != 0)
            fail(CUBLAS_STATUS_NOT_SUPPORTED,
                 text("the algorithm counts on an alignment of ", algorithm.alignment[i], " bytes, the address of ", "ABCD"[i], " has less"));
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* lightHandle) {
    return blas_call(__func__, [&](Context&) { *lightHandle = create_lt_handle(); });
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle) {
    return blas_call(__func__, [&](Context&) { destroy_lt_handle(lightHandle); });
}

size_t cublasLtGetVersion(void) { return static_cast<std::size_t>(settings().toolkit / 1000 * 10000 + settings().toolkit % 1000 * 10); }

const char* cublasLtGetStatusName(cublasStatus_t status) { return blas_status_name(status); }

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t operationDesc, cublasLtMatrixLayout_t Adesc,
                                              cublasLtMatrixLayout_t Bdesc, cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                              cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                              cublasLtMatmulHeuristicResult_t heuristicResultsArray[], int* returnAlgoCount) {
    return blas_call(__func__, [&](Context&) {
        require_lt_handle(lightHandle);
        require(requestedAlgoCount > 0, CUBLAS_STATUS_INVALID_VALUE, "no algorithm asked for");
        const Problem problem = problem_of(operationDesc, Adesc, Bdesc, Cdesc, Ddesc);
        problem.product();
        const MatmulPreference& wanted = matmul_preference(preference);
        *returnAlgoCount = 0;
        for (const std::uint64_t workspace : {algorithm_workspace, std::uint64_t{0}}) {
            if (workspace > wanted.workspace || *returnAlgoCount == requestedAlgoCount)
                continue;
            Algorithm algorithm{problem.key(), workspace, {}};
            std::copy(std::begin(wanted.alignment), std::end(wanted.alignment), algorithm.alignment);
            heuristicResultsArray[(*returnAlgoCount)++] = {algorithm.write(), workspace, CUBLAS_STATUS_SUCCESS, 1.0f, {}};
        }
    });
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t operationDesc, cublasLtMatrixLayout_t Adesc,
                                       cublasLtMatrixLayout_t Bdesc, cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                       const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
    return blas_call(__func__, [&](Context&) {
        require_lt_handle(lightHandle);
        const Problem problem = problem_of(operationDesc, Adesc, Bdesc, Cdesc, Ddesc);
        problem.product();
        const Algorithm algorithm = Algorithm::read(*algo);
        require(algorithm.problem == problem.key(), CUBLAS_STATUS_INVALID_VALUE, "the algorithm was chosen for another problem");
        *result = {*algo, algorithm.workspace, CUBLAS_STATUS_SUCCESS, 1.0f, {}};
    });
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc, const void* alpha, const void* A,
                              cublasLtMatrixLayout_t Adesc, const void* B, cublasLtMatrixLayout_t Bdesc, const void* beta, const void* C,
                              cublasLtMatrixLayout_t Cdesc, void* D, cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspaceSizeInBytes, cudaStream_t stream) {
    return blas_call(__func__, [&](Context& context) {
        require_lt_handle(lightHandle);
        const Problem problem = problem_of(computeDesc, Adesc, Bdesc, Cdesc, Ddesc);
        Product product = problem.product();
        product.a.data = A, product.b.data = B, product.c.data = C, product.d.data = D;
        require(reinterpret_cast<std::uintptr_t>(product.bias) % 16 == 0, CUBLAS_STATUS_NOT_SUPPORTED, "the bias is not aligned to 16 bytes");
        require(workspaceSizeInBytes == 0 || reinterpret_cast<std::uintptr_t>(workspace) % 16 == 0, CUBLAS_STATUS_INVALID_VALUE,
                "the workspace is not aligned to 16 bytes");
        require(C != D || std::memcmp(&problem.c, &problem.d, sizeof problem.c) == 0, CUBLAS_STATUS_INVALID_VALUE, "C is D, with another layout");
        std::size_t used = 0;
        if (algo != nullptr) {
            const Algorithm algorithm = Algorithm::read(*algo);
            check_algorithm(algorithm, problem, product, workspaceSizeInBytes);
            used = algorithm.workspace;
        }
        const auto& description = problem.description;
        queue_product(context, stream, product, {alpha, description.scale, description.pointer_mode},
                      {beta, description.scale, description.pointer_mode}, {workspace, used});
    });
}
