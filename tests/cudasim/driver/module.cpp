#include "execution/module.h"

#include "abi/cuda.h"
#include "core/settings.h"
#include "core/trace.h"
#include "driver.h"
#include "execution/image.h"
#include "execution/launch.h"
#include "properties.h"

#include <algorithm>

using namespace cudasim;

namespace {

struct Function {
    std::shared_ptr<Module> module;
    Kernel* kernel;
};

Function function_of(Context& context, CUfunction handle) {
    auto* kernel = reinterpret_cast<Kernel*>(handle);
    for (const auto& module : context.modules().all())
        if (!module->kernels().empty() && kernel >= &module->kernels().front() && kernel <= &module->kernels().back())
            return {module, kernel};
    fail(CUDA_ERROR_INVALID_HANDLE, "no such function, or its module was unloaded");
}

void load(Context& context, CUmodule* handle, const void* image) {
    auto module = std::make_shared<Module>(std::string(ImageHeader::unwrap(image)));
    *handle = reinterpret_cast<CUmodule>(context.modules().add(std::move(module)));
    trace("load module");
}

std::shared_ptr<Module> module_of(Context& context, CUmodule handle) {
    auto module = context.modules().find(handle);
    require(module != nullptr, CUDA_ERROR_INVALID_HANDLE, "no such module in this context");
    return module;
}

int block_limit(const Kernel& kernel) { return kernel.entry.max_threads == 0 ? max_threads_per_block : static_cast<int>(kernel.entry.max_threads); }

int resident_blocks(const Kernel& kernel, int threads, std::size_t dynamic_shared) {
    if (threads <= 0 || threads > block_limit(kernel))
        return 0;
    const int whole_warps = (threads + 31) / 32 * 32;
    const auto by_shared = static_cast<int>(shared_memory_per_processor() / (kernel.static_shared + dynamic_shared + 1024));
    return std::min({32, max_threads_per_processor / whole_warps, registers_per_processor / (registers_per_thread * whole_warps), by_shared});
}

}  // namespace

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    return context_call(__func__, [&](Context& context) { load(context, module, image); });
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned int, CUjit_option*, void**) {
    return context_call(__func__, [&](Context& context) { load(context, module, image); });
}

CUresult cuModuleUnload(CUmodule hmod) {
    return context_call(__func__, [&](Context& context) {
        module_of(context, hmod);
        context.modules().remove(hmod);
    });
}

CUresult cuModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name) {
    return context_call(__func__, [&](Context& context) {
        Kernel* kernel = module_of(context, hmod)->find(name);
        if (kernel == nullptr)
            fail(CUDA_ERROR_NOT_FOUND, text("the module has no kernel ", name));
        *hfunc = reinterpret_cast<CUfunction>(kernel);
    });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* dptr, size_t* bytes, CUmodule hmod, const char* name) {
    return context_call(__func__, [&](Context& context) {
        const auto global = module_of(context, hmod)->global(name);
        if (global.address == nullptr)
            fail(CUDA_ERROR_NOT_FOUND, text("the module has no variable ", name));
        context.memory().adopt(global.address, global.size, Allocation::Kind::global);
        if (dptr != nullptr)
            *dptr = device_pointer(global.address);
        if (bytes != nullptr)
            *bytes = global.size;
    });
}

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

CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX,
                        unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream, void** kernelParams,
                        void** extra) {
    return context_call(__func__, [&](Context& context) {
        const auto [module, kernel] = function_of(context, f);
        const auto stream = context.stream(hStream);
        const auto refuse = [&name = kernel->name](CUresult code, const std::string& why) { fail(code, name + ": " + why); };
        const auto threads = std::uint64_t{blockDimX} * blockDimY * blockDimZ;
        if (extra != nullptr || (kernelParams == nullptr && kernel->entry.parameter_count > 0))
            refuse(CUDA_ERROR_INVALID_VALUE, "arguments are only taken through kernelParams");
        if (gridDimX == 0 || gridDimX > 2147483647 || gridDimY == 0 || gridDimY > 65535 || gridDimZ == 0 || gridDimZ > 65535)
            refuse(CUDA_ERROR_INVALID_VALUE, text("a grid of ", gridDimX, "x", gridDimY, "x", gridDimZ));
        if (threads == 0 || threads > max_threads_per_block || blockDimZ > 64)
            refuse(CUDA_ERROR_INVALID_VALUE, text("a block of ", blockDimX, "x", blockDimY, "x", blockDimZ));
        if (threads > static_cast<std::uint64_t>(block_limit(*kernel)))
            refuse(CUDA_ERROR_INVALID_VALUE, text(threads, " threads, __launch_bounds__ says ", block_limit(*kernel)));
        if (sharedMemBytes > kernel->dynamic_limit)
            refuse(CUDA_ERROR_INVALID_VALUE, text(sharedMemBytes, " bytes of dynamic shared memory, allowed are ", kernel->dynamic_limit));

        trace(text("launch ", kernel->name, " grid ", gridDimX, "x", gridDimY, "x", gridDimZ, " block ", blockDimX, "x", blockDimY, "x", blockDimZ,
                   " shared ", sharedMemBytes, " in stream ", context.number(*stream)));
        auto launch = std::make_shared<Launch>(*kernel, Index{gridDimX, gridDimY, gridDimZ}, Index{blockDimX, blockDimY, blockDimZ}, sharedMemBytes,
                                               kernelParams);
        context.enqueue(stream, [&context, launch, module = module] {
            require(context.modules().find(module.get()) != nullptr, CUDA_ERROR_ILLEGAL_ADDRESS, "a module was unloaded before its kernel ran");
            launch->run(context.memory());
        });
    });
}

CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData) {
    return context_call(__func__, [&](Context& context) {
        const auto stream = context.stream(hStream);
        context.enqueue(stream, [fn, userData] { fn(userData); });
    });
}
