// cudasim_tests [FILE]: runs all tests, or those of one file, named without its extension.
#include "abi/cudasim.h"
#include "test.h"

#include <cstdio>
#include <filesystem>
#include <vector>

namespace test {

namespace {
struct Test {
    std::string file, name;
    void (*body)();
};

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}
}  // namespace

Registration::Registration(const char* file, const char* name, void (*body)()) {
    tests().push_back({std::filesystem::path(file).stem().string(), name, body});
}

void failed(const char* file, int line, const std::string& what) {
    throw std::runtime_error(std::filesystem::path(file).filename().string() + ":" + std::to_string(line) + ": " + what);
}

}  // namespace test

int main(int count, char** arguments) {
    int run = 0, failures = 0;
    for (const auto& [file, name, body] : test::tests()) {
        if (count > 1 && file != arguments[1])
            continue;
        run++;
        cudasimReport();
        try {
            body();
        } catch (const std::exception& error) {
            failures++;
            std::printf("FAILED %s.%s: %s\n", file.c_str(), name.c_str(), error.what());
        }
    }
    std::printf("%d tests, %d failed\n", run, failures);
    return run == 0 || failures > 0 ? 1 : 0;
}
