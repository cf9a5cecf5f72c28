#include "report.h"

#include "abi/cudasim.h"
#include "settings.h"

#include <cstdio>
#include <mutex>
#include <utility>

namespace cudasim {

namespace {
std::mutex mutex;
std::string findings;
}  // namespace

void report(const std::string& finding) {
    const std::lock_guard lock(mutex);
    findings += finding + "\n";
    const std::string& path = settings().report;
    if (path.empty()) {
        std::fprintf(stderr, "cudasim: %s\n", finding.c_str());
    } else if (std::FILE* file = std::fopen(path.c_str(), "a")) {
        std::fprintf(file, "%s\n", finding.c_str());
        std::fclose(file);
    }
}

}  // namespace cudasim

const char* cudasimReport(void) {
    static std::string returned;
    const std::lock_guard lock(cudasim::mutex);
    returned = std::exchange(cudasim::findings, {});
    return returned.c_str();
}
