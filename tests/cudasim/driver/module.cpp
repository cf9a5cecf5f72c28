#include "execution/module.h"

#include "abi/cuda.h"
#include "core/trace.h"
#include "driver.h"
#include "execution/image.h"

using namespace cudasim;

namespace {

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

}  // namespace

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    return context_call(__func__, [&](Context& context) { load(context, module, image); });
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned int, CUjit_option*, void**) {
    return context_call(__func__, [&](Context& context) { load(context, module, image); });
}

CUresult cuModuleUnload(CUmodule hmod) {
    return context_call(__func__, [&](Context& context) {
        for (void* global : module_of(context, hmod)->exposed_globals)
            context.memory().disown(global);
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
        const auto module = module_of(context, hmod);
        const auto global = module->global(name);
        if (global.address == nullptr)
            fail(CUDA_ERROR_NOT_FOUND, text("the module has no variable ", name));
        context.memory().adopt(global.address, global.size, Allocation::Kind::global);
        module->exposed_globals.push_back(global.address);
        if (dptr != nullptr)
            *dptr = device_pointer(global.address);
        if (bytes != nullptr)
            *bytes = global.size;
    });
}
