#include "kernel_test.h"

#include <fstream>
#include <iterator>

namespace test {

const std::vector<Size> sizes = {{1, 1, 0}, {1, 257, 0}, {3, 31, 0}, {3, 32, 8}, {5, 33, 3}, {33, 64, 0}, {40, 264, 0}, {31, 130, 5}};

std::string name_of(const Size& size, const char* type) {
    return std::string(type) + " " + std::to_string(size.rows) + "x" + std::to_string(size.columns) + "+" + std::to_string(size.gap);
}

Values spread(std::size_t n, double scale, unsigned seed) {
    std::mt19937 random(seed + unsigned(n));
    std::normal_distribution<double> normal(0, scale);
    Values values(n);
    for (double& value : values)
        value = normal(random);
    return values;
}

void check_close(const Values& actual, const Values& expected, double nmse, const std::string& what, const char* file, int line) {
    CHECK_EQUAL(actual.size(), expected.size());
    double error = 0, total = 0, scale = 0;
    std::size_t worst = 0;
    for (std::size_t i = 0; i < actual.size(); i++) {
        const double distance = std::isinf(expected[i]) && actual[i] == expected[i] ? 0 : actual[i] - expected[i];
        error += distance * distance;
        total += std::isinf(expected[i]) ? 0 : expected[i] * expected[i];
        if (!(std::abs(distance) <= scale))
            scale = std::abs(distance), worst = i;
    }
    if (!(error <= nmse * total)) {
        std::ostringstream text;
        text << what << ": error " << error / total << " above " << nmse << ", largest at " << worst << ": " << actual[worst] << ", expected "
             << expected[worst];
        failed(file, line, text.str());
    }
}

std::map<std::pair<std::string, int>, std::unique_ptr<Module>> Session::modules;

const Module& compiled(const std::string& type, int head_dim, bool tensor_cores) {
    static const std::string source = [] {
        std::ifstream file(KERNELS);
        return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }();
    auto& modules = Session::modules;
    auto& module = modules[{type, tensor_cores ? -head_dim : head_dim}];
    if (module == nullptr) {
        const std::string real = "-DREAL=" + type, head = "-DHEAD_DIM=" + std::to_string(head_dim);
        std::vector<const char*> options = {"--gpu-architecture=sm_90", "--std=c++17", "--device-as-default-execution-space", real.c_str()};
        if (head_dim > 0)
            options.push_back(head.c_str());
        if (tensor_cores)
            options.push_back("-DTENSOR_CORES");
        module = std::make_unique<Module>(Compilation(source, options));
    }
    return *module;
}

}  // namespace test
