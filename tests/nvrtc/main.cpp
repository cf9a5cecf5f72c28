// kernel_resources KERNELS TABLE [--write]: compiles every module of kernels.cu with NVRTC and compares what the kernels take with the table, which
// --write renews. Fails on what does not compile, spills or does not fit. Ends with 77 where there is no NVRTC.
#include "compiler.h"
#include "resources.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>

namespace {

struct Module {
    std::string title;
    std::vector<std::string> options;
};

/// Every type, and the head sizes of the models that are supported and of the op table.
std::vector<Module> modules() {
    std::vector<Module> all;
    for (const char* real : {"double", "float", "half", "bf16"})
        all.push_back({real, {std::string("-DREAL=") + real}});
    const auto attention = [&](const char* real, int head_dim, bool tensor_cores) {
        std::vector<std::string> options = {std::string("-DREAL=") + real, "-DHEAD_DIM=" + std::to_string(head_dim)};
        if (tensor_cores)
            options.push_back("-DTENSOR_CORES");
        all.push_back({std::string(real) + ", heads of " + std::to_string(head_dim) + (tensor_cores ? ", tensor cores" : ""), options});
    };
    for (const int head_dim : {20, 33, 64, 80, 128, 256})
        attention("float", head_dim, false);
    attention("bf16", 20, false);
    attention("half", 240, false);
    for (const int head_dim : {16, 32, 64, 80, 96, 112, 128, 160, 192, 256})
        attention("bf16", head_dim, true);
    attention("half", 128, true);
    attention("half", 256, true);
    return all;
}

std::string read(const std::string& path) {
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error(path + " cannot be read");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

class Check {
  public:
    Check(const Compiler& compiler, std::string source) : compiler_(compiler), source_(std::move(source)) {}

    int failures() const { return failures_; }

    /// Compiles a module for every architecture; its part of the table.
    std::string table(const Module& module) {
        std::vector<std::future<Compilation>> compilations;
        for (const Architecture& architecture : architectures)
            compilations.push_back(std::async(std::launch::async, [&] { return compile(module, architecture); }));
        std::map<std::string, std::string> rows;
        for (std::size_t i = 0; i < architectures.size(); i++) {
            const Architecture& architecture = architectures[i];
            const std::string title = module.title + ", sm_" + std::to_string(architecture.number);
            const Compilation compilation = compilations[i].get();
            if (!compilation.succeeded || compilation.log.find("warning") != std::string::npos)
                fail(title + ": " + compilation.log);
            for (const KernelResources& r : parse_resources(compilation.log, compilation.ptx)) {
                const std::string why = objection(r, architecture);
                if (!why.empty())
                    fail(title + ", " + r.kernel + ": " + why);
                std::string& row = rows[r.kernel];
                if (row.empty())
                    row = "| " + r.kernel + " | " + std::to_string(r.threads) + " |";
                row += " " + std::to_string(r.registers) + ", " + std::to_string(r.shared_bytes) + ", " + std::to_string(occupancy(r, architecture)) +
                       " % |";
            }
        }
        std::string text = "\n## " + module.title + "\n\n| kernel | threads |", rule = "|---|---|";
        for (const Architecture& architecture : architectures)
            text += " sm_" + std::to_string(architecture.number) + " |", rule += "---|";
        text += "\n" + rule + "\n";
        for (const auto& [kernel, row] : rows)
            text += row + "\n";
        return text;
    }

  private:
    Compilation compile(const Module& module, const Architecture& architecture) const {
        std::vector<std::string> options = {"--gpu-architecture=sm_" + std::to_string(architecture.number), "--std=c++17",
                                            "--device-as-default-execution-space", "--ptxas-options=-v"};
        options.insert(options.end(), module.options.begin(), module.options.end());
        return compiler_.compile(source_, "kernels.cu", options);
    }

    void fail(const std::string& what) {
        failures_++;
        std::printf("FAILED %s\n", what.c_str());
    }

    const Compiler& compiler_;
    std::string source_;
    int failures_ = 0;
};

/// Lines that only one of the two texts has.
int show_difference(const std::string& before, const std::string& after) {
    const std::vector<std::string> old_lines = lines_of(before), new_lines = lines_of(after);
    int differences = 0;
    std::string heading;
    const auto missing = [&](const std::vector<std::string>& from, const std::vector<std::string>& in, char sign) {
        std::multimap<std::string, std::string> known;
        for (const std::string& line : in)
            heading = line.rfind("## ", 0) == 0 ? line : heading, known.emplace(heading, line);
        heading.clear();
        for (const std::string& line : from) {
            heading = line.rfind("## ", 0) == 0 ? line : heading;
            const auto [first, last] = known.equal_range(heading);
            if (std::none_of(first, last, [&](const auto& entry) { return entry.second == line; }))
                differences++, std::printf("%c %s: %s\n", sign, heading.c_str(), line.c_str());
        }
        heading.clear();
    };
    missing(old_lines, new_lines, '-');
    missing(new_lines, old_lines, '+');
    return differences;
}

int run(const std::string& kernels, const std::string& table_path, bool write) {
    const std::optional<Compiler> compiler = Compiler::load();
    if (!compiler) {
        std::printf("skipped: there is no NVRTC\n");
        return 77;
    }
    Check check(*compiler, read(kernels));
    std::string table = "# What the kernels take\n\nRegisters of a thread, bytes of shared memory of a block and occupancy, by " + compiler->name() +
                        ". Written by `kernel_resources --write`.\n";
    for (const Module& module : modules())
        table += check.table(module);
    std::ifstream exists(table_path);
    const int differences = show_difference(exists ? read(table_path) : "", table);
    if (write)
        std::ofstream(table_path) << table;
    std::printf("%s: %d failures, %d lines differ from the table\n", compiler->name().c_str(), check.failures(), differences);
    return check.failures() > 0 || (differences > 0 && !write) ? 1 : 0;
}

}  // namespace

int main(int count, char** arguments) {
    const bool write = count == 4 && std::string(arguments[3]) == "--write";
    if (count != 3 && !write) {
        std::printf("usage: kernel_resources KERNELS TABLE [--write]\n");
        return 2;
    }
    try {
        return run(arguments[1], arguments[2], write);
    } catch (const std::exception& error) {
        std::printf("FAILED %s\n", error.what());
        return 1;
    }
}
