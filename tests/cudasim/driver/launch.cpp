#include "execution/launch.h"

#include "abi/cuda.h"
#include "core/trace.h"
#include "function.h"
#include "properties.h"

using namespace cudasim;

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
