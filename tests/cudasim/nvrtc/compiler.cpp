#include "compiler.h"

#include "abi/nvrtc.h"
#include "core/failure.h"
#include "core/hash.h"
#include "core/settings.h"
#include "core/text.h"
#include "kernel_parser.h"
#include "prelude_text.h"
#include "process.h"

#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <regex>
#include <unistd.h>

namespace cudasim {

namespace {

namespace fs = std::filesystem;

/// A folder of its own for one compilation.
class WorkFolder {
  public:
    WorkFolder() {
        std::string name = (fs::temp_directory_path() / "cudasim-XXXXXX").string();
        require(mkdtemp(name.data()) != nullptr, NVRTC_ERROR_INTERNAL_ERROR, "no folder for temporary files");
        path_ = name;
    }
    ~WorkFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    fs::path operator/(const std::string& name) const { return path_ / name; }

  private:
    fs::path path_;
};

const char* const code_options[] = {
    "-O1",
    "-w",
    "-fPIC",
    "-fno-rtti",
    "-fno-exceptions",
    "-fno-extern-tls-init",  // g++ 12 would call a null function for a block-scope extern thread_local
    "-fno-gnu-unique",       // modules must not share the static variables of their templates
    "-fno-strict-aliasing",  // type punning through pointers is CUDA's custom
    "-fsanitize=alignment,bounds",
    "-fsanitize-recover=alignment,bounds",
};

/// What turns a source into the cached library; everything else follows from it.
std::string cache_key(const Translation& t) {
    std::uint64_t low = fnv(prelude_text()), high = fnv(settings().compiler, ~low);
    const auto add = [&](std::string_view part) {
        low = fnv(part, low), high = fnv(part, high);
        low = fnv(std::string_view("\0", 1), low), high = fnv(std::string_view("\1", 1), high);
    };
    add(t.name);
    add(t.source);
    for (const auto& [name, header] : t.headers)
        add(name), add(header);
    for (const std::string& expression : t.name_expressions)
        add(expression);
    for (const std::string& option : t.options.for_compiler)
        add(option);
    for (const char* option : code_options)
        add(option);
    return text(std::hex, std::setfill('0'), std::setw(16), high, std::setw(16), low);
}

/// "kernels.cu:12:5: error: text" becomes "kernels.cu(12): error: text".
std::string in_nvrtc_form(const std::string& log) {
    static const std::regex position(R"((^|\n)([^\s:]+):(\d+):\d+: )");
    return std::regex_replace(log, position, "$1$2($3): ");
}

std::string quoted(const std::string& text) {
    std::string literal = "\"";
    for (const char c : text)
        literal.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
    return literal + "\"";
}

/// The end of a module: its dynamic shared array, and the table of its kernels.
std::string module_end(const ParsedSource& parsed, const Translation& t) {
    std::string end = "\n# 1 \"cudasim table of kernels\"\n";
    const auto& arrays = parsed.dynamic_shared;
    const DynamicShared dynamic = arrays.empty() ? DynamicShared{"unsigned char", "cudasim_no_dynamic_array"} : arrays.front();
    for (std::size_t i = 1; i < arrays.size(); i++)
        end += "#error dynamic shared memory must have one name and one type in the whole file: " + dynamic.name + " and " + arrays[i].name + "\n";
    end += text("alignas(128) thread_local ", dynamic.type, " ", dynamic.name, "[cudasim::dynamic_shared_bytes / sizeof(", dynamic.type, ")];\n");
    end += text("extern \"C\" void* cudasim_dynamic_shared() { return ", dynamic.name, "; }\n");
    end += "extern \"C\" { extern const cudasim::KernelEntry cudasim_kernels[]; const cudasim::KernelEntry cudasim_kernels[] = {\n";
    const auto row = [&](const std::string& expression, const std::string& bounds) {
        end += text("cudasim::Thunk<&", expression, ">::entry(", quoted(expression), ", ",
                    bounds.empty() ? "0" : "cudasim::launch_bound(" + bounds + ")", "),\n");
    };
    for (const KernelSource& kernel : parsed.kernels)
        if (!kernel.is_template)
            row(kernel.name, kernel.launch_bounds);
    for (const std::string& expression : t.name_expressions)
        row(expression, "");
    return end + "{} }; }\n";
}

bool build(const Translation& t, const WorkFolder& work, const fs::path& library, std::string& log) {
    const auto run = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), settings().compiler);
        const int status = run_process(arguments, work / "log");
        log += status < 0 ? "nvrtc: error: " + settings().compiler + " did not run\n" : in_nvrtc_form(read_file(work / "log"));
        return status == 0;
    };
    for (const auto& [name, header] : t.headers) {
        fs::create_directories((work / ("include/" + name)).parent_path());
        write_file(work / ("include/" + name), header);
    }
    write_file(work / "prelude.h", std::string(prelude_text()));
    write_file(work / "source.cu", text("# 1 ", quoted(t.name), "\n", t.source));

    std::vector<std::string> preprocess = {"-E", "-x", "c++", "-nostdinc", "-D__CUDACC__=1", "-D__CUDACC_RTC__=1"};
    preprocess.insert(preprocess.end(), t.options.for_compiler.begin(), t.options.for_compiler.end());
    preprocess.insert(preprocess.end(), {"-I" + (work / "include").string(), "-o", work / "source.ii", work / "source.cu"});
    if (!run(preprocess))
        return false;

    const std::string source = read_file(work / "source.ii");
    write_file(work / "module.cpp", source + module_end(parse_kernels(source), t));
    std::vector<std::string> translate(std::begin(code_options), std::end(code_options));
    translate.push_back(t.options.for_compiler.back());  // the standard
    translate.insert(translate.end(), {"-c", "-x", "c++", "-include", work / "prelude.h", "-o", work / "module.o", work / "module.cpp"});
    return run(translate) && run({"-shared", "-Wl,-Bsymbolic", "-o", library, work / "module.o"});
}

}  // namespace

Compiled compile(const Translation& translation) {
    std::error_code error;
    fs::create_directories(settings().cache, error);
    const fs::path cached = fs::path(settings().cache) / (cache_key(translation) + ".so");
    if (fs::exists(cached, error))
        return {true, read_file(cached), ""};

    const WorkFolder work;
    Compiled compiled{false, "", ""};
    const fs::path library = work / "module.so";
    compiled.succeeded = build(translation, work, library, compiled.log);
    if (compiled.succeeded) {
        compiled.library = read_file(library);
        // Whole or not at all, as another process may look for it. A cache that cannot be written is none.
        const fs::path aside = cached.string() + "." + std::to_string(getpid());
        fs::copy_file(library, aside, fs::copy_options::overwrite_existing, error);
        if (!error)
            fs::rename(aside, cached, error);
    }
    return compiled;
}

}  // namespace cudasim
