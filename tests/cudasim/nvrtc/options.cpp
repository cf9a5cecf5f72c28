#include "options.h"

#include "abi/nvrtc.h"
#include "core/failure.h"
#include "core/settings.h"

#include <algorithm>
#include <charconv>

namespace cudasim {

namespace {

struct Option {
    std::string name, value;
    bool has_value;
};

Option split(const std::string& text) {
    if (text.size() > 2 && text[0] == '-' && std::string("DUI").find(text[1]) != std::string::npos)
        return {text.substr(0, 2), text.substr(2), true};
    const auto equals = text.find('=');
    std::string name = text.substr(0, equals);
    return {name, equals == std::string::npos ? "" : text.substr(equals + 1), equals != std::string::npos};
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void set_architecture(CompileOptions& options, const std::string& value) {
    const bool real = value.rfind("sm_", 0) == 0, is_virtual = value.rfind("compute_", 0) == 0;
    const std::string number = real || is_virtual ? value.substr(value.find('_') + 1) : "";
    int architecture = 0;
    std::from_chars(number.data(), number.data() + number.size(), architecture);
    const bool specific = number == std::to_string(architecture) + "a" && architecture >= 90;  // sm_90a
    const auto& known = supported_architectures();
    if (std::find(known.begin(), known.end(), architecture) == known.end() || (number != std::to_string(architecture) && !specific))
        fail(NVRTC_ERROR_INVALID_OPTION, "nvrtc: error: invalid value for --gpu-architecture (-arch)\n");
    options.kind = real ? ImageHeader::cubin : ImageHeader::ptx;
    options.architecture = architecture;
}

/// Options that change nothing here: code generation for the device, and precision that the host has anyway.
bool is_ignored(const Option& o) {
    return is_one_of(o.name, {"--use_fast_math", "-use_fast_math", "--generate-line-info", "-lineinfo", "--device-debug", "-G", "--restrict",
                              "-restrict", "--extra-device-vectorization", "--device-int128", "--device-as-default-execution-space",
                              "-default-device", "--minimal", "-minimal", "--relocatable-device-code", "-rdc"}) ||
           (o.has_value &&
            is_one_of(o.name, {"--fmad", "-fmad", "--ftz", "-ftz", "--prec-div", "-prec-div", "--prec-sqrt", "-prec-sqrt", "--maxrregcount",
                               "-maxrregcount", "--ptxas-options", "-Xptxas", "--split-compile", "--diag-suppress", "-diag-suppress"}));
}

}  // namespace

const std::vector<int>& supported_architectures() {
    static const std::vector<int> twelve = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 120, 121};
    static const std::vector<int> thirteen = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};
    return settings().toolkit < 13000 ? twelve : thirteen;
}

CompileOptions parse_options(const std::vector<std::string>& options) {
    CompileOptions parsed{ImageHeader::ptx, supported_architectures().front(), {}};
    std::string standard = "c++17";
    for (const std::string& text : options) {
        const Option o = split(text);
        if (is_one_of(o.name, {"--gpu-architecture", "-arch"}))
            set_architecture(parsed, o.value);
        else if (is_one_of(o.name, {"--std", "-std"}) && is_one_of(o.value, {"c++11", "c++14", "c++17", "c++20"}))
            standard = o.value;
        else if (is_one_of(o.name, {"-D", "--define-macro"}))
            parsed.for_compiler.push_back("-D" + o.value);
        else if (is_one_of(o.name, {"-U", "--undefine-macro"}))
            parsed.for_compiler.push_back("-U" + o.value);
        else if (is_one_of(o.name, {"-I", "--include-path"}))
            parsed.for_compiler.push_back("-I" + o.value);
        else if (!is_ignored(o))
            fail(NVRTC_ERROR_INVALID_OPTION, "nvrtc: error: unrecognized option " + text + " found\n");
    }
    // The prelude is C++17; a later standard stays what it is.
    parsed.for_compiler.push_back("-std=" + (standard == "c++20" ? standard : "c++17"));
    return parsed;
}

}  // namespace cudasim
