#include "report.h"

#include "abi/cudasim.h"
#include "forever.h"
#include "settings.h"

#include <cstdio>
#include <mutex>
#include <utility>

namespace cudasim {

namespace {
struct Findings {
    std::mutex mutex;
    std::string text, returned;
};

Findings& findings() {
    static Findings& all = forever<Findings>();
    return all;
}
}  // namespace

void report(const std::string& finding) {
    const std::lock_guard lock(findings().mutex);
    findings().text += finding + "\n";
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
    auto& findings = cudasim::findings();
    const std::lock_guard lock(findings.mutex);
    findings.returned = std::exchange(findings.text, {});
    return findings.returned.c_str();
}
