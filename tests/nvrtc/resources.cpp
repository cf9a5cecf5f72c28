#include "resources.h"

#include <algorithm>
#include <regex>
#include <stdexcept>

namespace {

constexpr int registers_of_multiprocessor = 65536, shared_bytes_of_system = 1024;

int round_up(int x, int multiple) { return (x + multiple - 1) / multiple * multiple; }

/// All warps of a block get whole units of registers.
int registers_of_block(const KernelResources& r) { return r.threads / 32 * round_up(32 * r.registers, 256); }

/// ".visible .entry add_update(" ... ".maxntid 256, 1, 1"
int launch_bound(const std::string& ptx, const std::string& kernel) {
    static const std::string bound = ".maxntid ";
    const auto entry = ptx.find(".entry " + kernel + "("), at = entry == std::string::npos ? entry : ptx.find(bound, entry);
    if (at == std::string::npos)
        throw std::runtime_error(kernel + " has no launch bounds");
    return std::stoi(ptx.substr(at + bound.size(), 4));
}

}  // namespace

const std::vector<Architecture> architectures = {
    {80, 64, 32, 164 << 10, 163 << 10}, {86, 48, 16, 100 << 10, 99 << 10}, {89, 48, 24, 100 << 10, 99 << 10}, {90, 64, 32, 228 << 10, 227 << 10}};

std::vector<KernelResources> parse_resources(const std::string& log, const std::string& ptx) {
    static const std::regex entry("Compiling entry function '(\\w+)'"),
        frame("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads"), used("Used (\\d+) registers(?:, (\\d+) bytes smem)?");
    std::vector<KernelResources> kernels;
    std::smatch match;
    for (std::size_t begin = 0, end; begin < log.size(); begin = end + 1) {
        end = std::min(log.find('\n', begin), log.size());
        const std::string line = log.substr(begin, end - begin);
        if (std::regex_search(line, match, entry))
            kernels.push_back({match[1], 0, 0, 0, 0, launch_bound(ptx, match[1])});
        else if (!kernels.empty() && std::regex_search(line, match, frame))
            kernels.back().frame_bytes = std::stoi(match[1]), kernels.back().spilled_bytes = std::stoi(match[2]) + std::stoi(match[3]);
        else if (!kernels.empty() && std::regex_search(line, match, used))
            kernels.back().registers = std::stoi(match[1]), kernels.back().shared_bytes = match[2].matched ? std::stoi(match[2]) : 0;
    }
    std::sort(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) { return a.kernel < b.kernel; });
    return kernels;
}

int occupancy(const KernelResources& r, const Architecture& a) {
    const int warps = r.threads / 32;
    const int blocks = std::min({a.warps / warps, a.blocks, registers_of_multiprocessor / registers_of_block(r),
                                 a.shared_bytes / round_up(r.shared_bytes + shared_bytes_of_system, 128)});
    return 100 * blocks * warps / a.warps;
}

std::string objection(const KernelResources& r, const Architecture& a) {
    if (r.frame_bytes > 0 || r.spilled_bytes > 0)
        return std::to_string(r.frame_bytes) + " bytes of stack, " + std::to_string(r.spilled_bytes) + " bytes spilled";
    if (registers_of_block(r) > registers_of_multiprocessor)
        return std::to_string(r.registers) + " registers are too many for " + std::to_string(r.threads) + " threads";
    if (r.shared_bytes > a.shared_bytes_of_block)
        return std::to_string(r.shared_bytes) + " bytes of shared memory";
    return "";
}
