// The binary interface: what is exported, under which names, with which prototypes, values and layouts.
#include "abi/cublaslt.h"
#include "abi/cuda.h"
#include "gpu.h"

#include <cstdio>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace {

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The file of the reference data, or "" with a word about it where the data is not beside the checkout.
std::string reference(const char* name) {
    const std::string text = read(std::filesystem::path(CUDASIM_REFERENCE) / name);
    if (text.empty())
        std::printf("skipped: %s/%s is not there\n", CUDASIM_REFERENCE, name);
    return text;
}

std::string headers() {
    std::string all;
    for (const auto& file : std::filesystem::directory_iterator(CUDASIM_ABI))
        all += read(file.path());
    return all;
}

std::string without_spaces(const std::string& text) { return std::regex_replace(text, std::regex(R"(\s+)"), ""); }

template <class Use> void for_each_match(const std::string& text, const char* pattern, Use use) {
    const std::regex regex(pattern);
    for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
        use(*match);
}

std::set<std::string> exported_symbols() {
    std::set<std::string> symbols;
    std::FILE* nm = popen("nm -D --defined-only " CUDASIM_FOLDER "/libcudasim.so", "r");
    char name[256];
    while (std::fscanf(nm, "%*s %*s %255s", name) == 1)
        symbols.insert(name);
    pclose(nm);
    return symbols;
}

}  // namespace

TEST(every_exported_symbol_is_one_of_the_real_libraries) {
    const std::string prototypes = reference("prototypes.json");
    const auto symbols = exported_symbols();
    CHECK(symbols.size() > 100);
    for (const std::string& symbol : symbols)
        if (!prototypes.empty() && symbol.rfind("cudasim", 0) != 0 && prototypes.find("\"" + symbol + "\": {") == std::string::npos)
            test::failed(__FILE__, __LINE__, symbol + " is exported and not in the reference list");
}

TEST(declarations_have_the_real_prototypes) {
    const std::string prototypes = reference("prototypes.json");
    if (prototypes.empty())
        return;
    const auto symbols = exported_symbols();
    std::size_t compared = 0;
    for_each_match(headers(), R"(CUDASIM_API ([^;()]*?)(\w+)\(([^;]*)\);)", [&](const std::smatch& declared) {
        const std::string name = declared[2];
        if (name.rfind("cudasim", 0) == 0)
            return;
        std::smatch real;
        const std::size_t start = prototypes.find("\"" + name + "\": {");
        CHECK(start != std::string::npos && symbols.count(name) == 1);
        const std::string entry = prototypes.substr(start, prototypes.find('}', start) - start);
        CHECK(std::regex_search(entry, real, std::regex(R"re("parameters": "([^"]*)"[\s\S]*"returns": "([^"]*)")re")));
        CHECK_EQUAL(name + without_spaces(declared[3]), name + without_spaces(real[1]));
        CHECK_EQUAL(name + without_spaces(declared[1]), name + without_spaces(real[2]));
        compared++;
    });
    CHECK(compared > 100);
}

TEST(constants_have_the_real_values) {
    const std::string values = reference("values-13.0.json");
    if (values.empty())
        return;
    std::size_t compared = 0;
    for_each_match(headers(), R"((\w+) = (-?\d+)\b)", [&](const std::smatch& declared) {
        std::smatch real;
        if (!std::regex_search(values, real, std::regex("\"" + declared[1].str() + "\": (-?[0-9]+)")))
            return;
        CHECK_EQUAL(declared[1].str() + " = " + declared[2].str(), declared[1].str() + " = " + real[1].str());
        compared++;
    });
    CHECK(compared > 120);
}

TEST(structures_have_the_real_layout) {
    CHECK_EQUAL(sizeof(CUDA_MEMCPY2D), 128u);
    CHECK_EQUAL(offsetof(CUDA_MEMCPY2D, srcDevice), 32u);
    CHECK_EQUAL(offsetof(CUDA_MEMCPY2D, dstMemoryType), 72u);
    CHECK_EQUAL(offsetof(CUDA_MEMCPY2D, WidthInBytes), 112u);
    CHECK_EQUAL(sizeof(cublasLtMatmulHeuristicResult_t), 96u);
    CHECK_EQUAL(offsetof(cublasLtMatmulHeuristicResult_t, state), 72u);
    CHECK_EQUAL(sizeof(CUuuid), 16u);
}

TEST(all_sonames_of_a_toolkit_are_one_library) {
    for (const char* folder : {"cuda12", "cuda13"}) {
        void* first = nullptr;
        for (const auto& link : std::filesystem::directory_iterator(std::filesystem::path(CUDASIM_FOLDER) / folder)) {
            void* handle = dlopen(link.path().c_str(), RTLD_NOW | RTLD_LOCAL);
            CHECK(handle != nullptr && (first == nullptr || handle == first));
            first = handle;
        }
        CHECK(dlsym(first, "cuInit") == reinterpret_cast<void*>(cuInit));
    }
}

TEST(the_folder_says_which_toolkit_it_is) {
    const auto version_in = [](const std::string& folder) {
        // In a namespace of its own, as the library is in this process already.
        void* library = dlmopen(LM_ID_NEWLM, (CUDASIM_FOLDER "/" + folder + "/libcuda.so.1").c_str(), RTLD_NOW);
        CHECK(library != nullptr);
        int version = 0;
        SUCCEED(reinterpret_cast<decltype(&cuDriverGetVersion)>(dlsym(library, "cuDriverGetVersion"))(&version));
        dlclose(library);
        return version;
    };
    CHECK_EQUAL(version_in("cuda12"), 12090);
    CHECK_EQUAL(version_in("cuda13"), 13000);
}
