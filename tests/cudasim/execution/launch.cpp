#include "launch.h"

#include "abi/cuda.h"
#include "block.h"
#include "core/failure.h"
#include "core/forever.h"
#include "core/settings.h"
#include "core/text.h"
#include "device/memory.h"
#include "module.h"
#include "services.h"
#include "trap.h"

#include <algorithm>
#include <cstring>

namespace cudasim {

namespace {

constexpr std::byte poison{0xff};
constexpr std::byte canary{0xa5};
constexpr std::size_t canary_bytes = 64;

std::string name(Index i) { return text("(", i.x, ",", i.y, ",", i.z, ")"); }

/// The shared memory of one block after another.
class SharedMemory {
  public:
    SharedMemory(const Module& module, std::size_t dynamic_bytes) : all_(module.shared()), dynamic_bytes_(dynamic_bytes) {}

    void poison_all() const {
        std::byte* behind = all_.dynamic + dynamic_shared_bytes;
        std::fill(all_.begin, all_.dynamic, poison);
        std::fill(all_.dynamic, all_.dynamic + dynamic_bytes_, poison);
        std::fill_n(all_.dynamic + dynamic_bytes_, canary_bytes, canary);
        std::fill(behind, std::max(behind, all_.end), poison);
    }

    bool intact() const {
        const std::byte* end = all_.dynamic + dynamic_bytes_;
        return std::all_of(end, end + canary_bytes, [](std::byte b) { return b == canary; });
    }

  private:
    Module::Shared all_;
    std::size_t dynamic_bytes_;
};

std::string describe(const void* address, const Memory& memory) {
    const Allocation* pinned = host_memory().find(address);
    return (pinned != nullptr ? host_memory() : memory).describe(address);
}

}  // namespace

Launch::Launch(const Kernel& launched, Index blocks, Index threads, std::size_t shared_bytes, void** arguments)
    : kernel(launched), grid(blocks), block(threads), dynamic_shared(shared_bytes) {
    for (unsigned i = 0; i < kernel.entry.parameter_count; i++) {
        const auto* value = static_cast<const std::byte*>(arguments[i]);
        values_.emplace_back(value, value + kernel.entry.parameters[i].size);
    }
}

std::vector<const Allocation*> Launch::targets(const Memory& memory) const {
    std::vector<const Allocation*> found;
    for (unsigned i = 0; i < kernel.entry.parameter_count; i++) {
        if (!kernel.entry.parameters[i].is_pointer)
            continue;
        const void* pointer;
        std::memcpy(&pointer, values_[i].data(), sizeof pointer);
        const Allocation* allocation = memory.find(pointer);
        allocation = allocation != nullptr ? allocation : host_memory().find(pointer);
        if (pointer != nullptr && allocation == nullptr)
            fail(CUDA_ERROR_ILLEGAL_ADDRESS, text(kernel.name, ": parameter ", i, " is ", memory.describe(pointer)));
        if (allocation != nullptr)
            found.push_back(allocation);
    }
    return found;
}

void Launch::run(const Memory& memory) {
    const auto allocations = targets(memory);
    try {
        run_blocks();
    } catch (const Fault& fault) {
        const Execution& execution = kernel.module->execution();
        std::string what = text(kernel.name, ", block ", name(execution.block_index));
        if (fault.thread >= 0)
            what += ", thread " + name(execution.thread->index);
        if (fault.line > 0)
            what += text(", line ", fault.line);
        what += ": " + fault.what;
        if (fault.address != nullptr)
            what += ": " + describe(fault.address, memory);
        fail(fault.code, what);
    }
    for (const Allocation* allocation : allocations)
        try {
            memory.check_canaries(*allocation);
        } catch (const Failure& failure) {
            fail(failure.code, text(kernel.name, ", or what ran before it: ", failure.what));
        }
}

void Launch::run_blocks() {
    static Block& fibers = forever<Block>();
    Execution& execution = kernel.module->execution();
    execution.services = &services();
    execution.grid_dim = grid, execution.block_dim = block;
    std::vector<void*> arguments;
    for (auto& value : values_)
        arguments.push_back(value.data());
    fibers.prepare(execution, kernel.entry, arguments.data());

    const SharedMemory shared(*kernel.module, dynamic_shared);
    const auto blocks = std::uint64_t{grid.x} * grid.y * grid.z;
    const Permutation order(settings().order, blocks, blocks);
    const Trap trap;
    for (std::uint64_t i = 0; i < blocks; i++) {
        const std::uint64_t number = order[i];
        execution.block_index = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                                 static_cast<unsigned>(number / grid.x / grid.y)};
        shared.poison_all();
        fibers.run(settings().order, i);
        if (!shared.intact())
            throw Fault{CUDA_ERROR_ILLEGAL_ADDRESS, "something wrote behind the end of dynamic shared memory", nullptr, 0, -1};
    }
}

}  // namespace cudasim
