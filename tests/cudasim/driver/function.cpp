#include "function.h"

#include "core/settings.h"
#include "properties.h"

#include <algorithm>

namespace cudasim {

Function function_of(Context& context, CUfunction handle) {
    auto* kernel = reinterpret_cast<Kernel*>(handle);
    for (const auto& module : context.modules().all())
        if (module->owns(kernel))
            return {module, kernel};
    fail(CUDA_ERROR_INVALID_HANDLE, "no such function, or its module was unloaded");
}

int block_limit(const Kernel& kernel) { return kernel.entry.max_threads == 0 ? max_threads_per_block : static_cast<int>(kernel.entry.max_threads); }

namespace {

int resident_blocks(const Kernel& kernel, int threads, std::size_t dynamic_shared) {
    if (threads <= 0 || threads > block_limit(kernel))
        return 0;
    const int whole_warps = (threads + 31) / 32 * 32;
    const auto by_shared = static_cast<int>(shared_memory_per_processor() / (kernel.static_shared + dynamic_shared + 1024));
    return std::min({32, max_threads_per_processor / whole_warps, registers_per_processor / (registers_per_thread * whole_warps), by_shared});
}

}  // namespace

}  // namespace cudasim

using namespace cudasim;

CUresult cuFuncGetAttribute(int* pi, CUfunction_attribute attrib, CUfunction hfunc) {
    return context_call(__func__, [&](Context& context) {
        const Kernel& kernel = *function_of(context, hfunc).kernel;
        switch (attrib) {
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
            *pi = block_limit(kernel);
            break;
        case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
            *pi = static_cast<int>(kernel.static_shared);
            break;
        case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
        case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
            *pi = 0;
            break;
        case CU_FUNC_ATTRIBUTE_NUM_REGS:
            *pi = registers_per_thread;
            break;
        case CU_FUNC_ATTRIBUTE_PTX_VERSION:
        case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
            *pi = settings().compute_capability;
            break;
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            *pi = static_cast<int>(kernel.dynamic_limit);
            break;
        default:
            fail(CUDA_ERROR_INVALID_VALUE, text("function attribute ", static_cast<int>(attrib), " is not known here"));
        }
    });
}

CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value) {
    return context_call(__func__, [&](Context& context) {
        Kernel& kernel = *function_of(context, hfunc).kernel;
        if (attrib == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT)
            return;
        require(attrib == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CUDA_ERROR_INVALID_VALUE, "the attribute cannot be set");
        if (value < 0 || kernel.static_shared + static_cast<std::size_t>(value) > shared_memory_limit())
            fail(CUDA_ERROR_INVALID_VALUE,
                 text(kernel.name, ": ", kernel.static_shared, " + ", value, " bytes of shared memory, the device has ", shared_memory_limit()));
        kernel.dynamic_limit = static_cast<std::size_t>(value);
    });
}

CUresult cuFuncSetCacheConfig(CUfunction hfunc, CUfunc_cache) {
    return context_call(__func__, [&](Context& context) { function_of(context, hfunc); });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, CUfunction func, int blockSize, size_t dynamicSMemSize) {
    return context_call(__func__,
                        [&](Context& context) { *numBlocks = resident_blocks(*function_of(context, func).kernel, blockSize, dynamicSMemSize); });
}

CUresult cuOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize, CUfunction func, CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                          size_t dynamicSMemSize, int blockSizeLimit) {
    return context_call(__func__, [&](Context& context) {
        const Kernel& kernel = *function_of(context, func).kernel;
        int best = 0;
        for (int threads = 32; threads <= block_limit(kernel) && (blockSizeLimit == 0 || threads <= blockSizeLimit); threads += 32) {
            const std::size_t shared = blockSizeToDynamicSMemSize != nullptr ? blockSizeToDynamicSMemSize(threads) : dynamicSMemSize;
            const int resident = threads * resident_blocks(kernel, threads, shared);
            if (resident >= best)
                best = resident, *blockSize = threads, *minGridSize = processors * (resident / threads);
        }
        require(best > 0, CUDA_ERROR_INVALID_VALUE, "no block of this kernel fits a processor");
    });
}
