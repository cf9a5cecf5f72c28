#include "abi/nvrtc.h"

#include "compiler.h"
#include "core/call.h"
#include "core/forever.h"
#include "core/settings.h"
#include "core/trace.h"
#include "execution/module.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>

using namespace cudasim;

namespace {

struct Program {
    Translation translation;
    bool compiled = false;
    std::string ptx, cubin, log;
    std::map<std::string, std::string> lowered_names;
};

std::set<Program*>& programs() {
    static std::set<Program*>& all = forever<std::set<Program*>>();
    return all;
}

Program& program_of(nvrtcProgram handle) {
    auto* program = reinterpret_cast<Program*>(handle);
    require(programs().count(program) == 1, NVRTC_ERROR_INVALID_PROGRAM, "no such program");
    return *program;
}

template <class Body> nvrtcResult nvrtc_call(const char* call, Body body) {
    return enter<nvrtcResult>(call, [&] {
        strike(call);
        body();
    });
}

void compile_program(Program& program, const std::vector<std::string>& options) {
    program.compiled = true;
    try {
        program.translation.options = parse_options(options);
    } catch (const Failure& failure) {
        program.log = failure.what;
        fail(failure.code, "");
    }
    const CompileOptions& asked = program.translation.options;
    const Compiled result = compile(program.translation);
    program.log = result.log;
    trace(text("compile ", program.translation.name, " for ", asked.kind == ImageHeader::cubin ? "sm_" : "compute_", asked.architecture,
               result.succeeded ? "" : ": failed"));
    if (!result.succeeded)
        fail(NVRTC_ERROR_COMPILATION, "");
    program.ptx = ImageHeader::wrap(ImageHeader::ptx, asked.architecture, settings().toolkit, result.library);
    if (asked.kind == ImageHeader::cubin)
        program.cubin = ImageHeader::wrap(ImageHeader::cubin, asked.architecture, settings().toolkit, result.library);
    if (program.translation.name_expressions.empty())
        return;
    // The loader knows the mangled names.
    const Module module(result.library);
    for (const Kernel& kernel : module.kernels())
        program.lowered_names[kernel.entry.expression] = kernel.name;
}

void hand_out(const std::string& bytes, char* to) { std::memcpy(to, bytes.data(), bytes.size()); }

constexpr const char* result_names[] = {
    "NVRTC_SUCCESS",
    "NVRTC_ERROR_OUT_OF_MEMORY",
    "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
    "NVRTC_ERROR_INVALID_INPUT",
    "NVRTC_ERROR_INVALID_PROGRAM",
    "NVRTC_ERROR_INVALID_OPTION",
    "NVRTC_ERROR_COMPILATION",
    "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
    "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
    "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
    "NVRTC_ERROR_INTERNAL_ERROR",
};

}  // namespace

nvrtcResult nvrtcVersion(int* major, int* minor) {
    return nvrtc_call(__func__, [&] { *major = settings().toolkit / 1000, *minor = settings().toolkit % 1000 / 10; });
}

const char* nvrtcGetErrorString(nvrtcResult result) {
    return result >= 0 && static_cast<std::size_t>(result) < std::size(result_names) ? result_names[result] : "NVRTC_ERROR unknown";
}

nvrtcResult nvrtcGetNumSupportedArchs(int* numArchs) {
    return nvrtc_call(__func__, [&] { *numArchs = static_cast<int>(supported_architectures().size()); });
}

nvrtcResult nvrtcGetSupportedArchs(int* supportedArchs) {
    return nvrtc_call(__func__, [&] { std::copy(supported_architectures().begin(), supported_architectures().end(), supportedArchs); });
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram* prog, const char* src, const char* name, int numHeaders, const char* const* headers,
                               const char* const* includeNames) {
    return nvrtc_call(__func__, [&] {
        require(prog != nullptr && src != nullptr && numHeaders >= 0, NVRTC_ERROR_INVALID_INPUT, "no source");
        auto program = std::make_unique<Program>();
        program->translation.name = name != nullptr ? name : "default_program";
        program->translation.source = src;
        for (int i = 0; i < numHeaders; i++)
            program->translation.headers.emplace_back(includeNames[i], headers[i]);
        programs().insert(program.get());
        *prog = reinterpret_cast<nvrtcProgram>(program.release());
    });
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram* prog) {
    return nvrtc_call(__func__, [&] {
        require(prog != nullptr, NVRTC_ERROR_INVALID_INPUT, "no program");
        const std::unique_ptr<Program> program(&program_of(*prog));
        programs().erase(program.get());
        *prog = nullptr;
    });
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram prog, int numOptions, const char* const* options) {
    return nvrtc_call(__func__, [&] { compile_program(program_of(prog), {options, options + numOptions}); });
}

nvrtcResult nvrtcGetPTXSize(nvrtcProgram prog, size_t* ptxSizeRet) {
    return nvrtc_call(__func__, [&] { *ptxSizeRet = program_of(prog).ptx.size(); });
}

nvrtcResult nvrtcGetPTX(nvrtcProgram prog, char* ptx) {
    return nvrtc_call(__func__, [&] { hand_out(program_of(prog).ptx, ptx); });
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram prog, size_t* cubinSizeRet) {
    return nvrtc_call(__func__, [&] { *cubinSizeRet = program_of(prog).cubin.size(); });
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram prog, char* cubin) {
    return nvrtc_call(__func__, [&] { hand_out(program_of(prog).cubin, cubin); });
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram prog, size_t* logSizeRet) {
    return nvrtc_call(__func__, [&] { *logSizeRet = program_of(prog).log.size() + 1; });
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram prog, char* log) {
    return nvrtc_call(__func__, [&] { std::strcpy(log, program_of(prog).log.c_str()); });
}

nvrtcResult nvrtcAddNameExpression(nvrtcProgram prog, const char* const name_expression) {
    return nvrtc_call(__func__, [&] {
        Program& program = program_of(prog);
        require(!program.compiled, NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION, "the program is compiled already");
        program.translation.name_expressions.emplace_back(name_expression);
    });
}

nvrtcResult nvrtcGetLoweredName(nvrtcProgram prog, const char* const name_expression, const char** lowered_name) {
    return nvrtc_call(__func__, [&] {
        Program& program = program_of(prog);
        require(program.compiled, NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION, "the program is not compiled");
        const auto found = program.lowered_names.find(name_expression);
        require(found != program.lowered_names.end(), NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID, "no such name expression");
        *lowered_name = found->second.c_str();
    });
}
