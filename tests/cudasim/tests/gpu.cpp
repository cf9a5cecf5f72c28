#include "gpu.h"

namespace test {

Compilation::Compilation(const std::string& source, std::vector<const char*> options, const std::vector<const char*>& expressions) {
    nvrtcProgram program;
    CHECK_EQUAL(nvrtcCreateProgram(&program, source.c_str(), "test.cu", 0, nullptr, nullptr), NVRTC_SUCCESS);
    for (const char* expression : expressions)
        CHECK_EQUAL(nvrtcAddNameExpression(program, expression), NVRTC_SUCCESS);
    result = nvrtcCompileProgram(program, static_cast<int>(options.size()), options.data());
    std::size_t size;
    CHECK_EQUAL(nvrtcGetProgramLogSize(program, &size), NVRTC_SUCCESS);
    std::vector<char> text(size);
    CHECK_EQUAL(nvrtcGetProgramLog(program, text.data()), NVRTC_SUCCESS);
    log = text.data();
    CHECK_EQUAL(nvrtcGetPTXSize(program, &size), NVRTC_SUCCESS);
    ptx.resize(size);
    CHECK_EQUAL(nvrtcGetPTX(program, ptx.data()), NVRTC_SUCCESS);
    CHECK_EQUAL(nvrtcGetCUBINSize(program, &size), NVRTC_SUCCESS);
    cubin.resize(size);
    CHECK_EQUAL(nvrtcGetCUBIN(program, cubin.data()), NVRTC_SUCCESS);
    for (const char* expression : expressions) {
        const char* name = "";
        if (result == NVRTC_SUCCESS)
            CHECK_EQUAL(nvrtcGetLoweredName(program, expression, &name), NVRTC_SUCCESS);
        lowered_names.emplace_back(name);
    }
    CHECK_EQUAL(nvrtcDestroyProgram(&program), NVRTC_SUCCESS);
}

Module::Module(const Compilation& compilation) {
    CHECK_EQUAL(compilation.log, "");
    CHECK_EQUAL(compilation.result, NVRTC_SUCCESS);
    SUCCEED(cuModuleLoadData(&module_, compilation.cubin.empty() ? compilation.ptx.data() : compilation.cubin.data()));
}

}  // namespace test
