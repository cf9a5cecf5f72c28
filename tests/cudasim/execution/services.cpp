#include "services.h"

#include "abi/cuda.h"
#include "block.h"
#include "core/half.h"

#include <cstdint>

namespace cudasim {

namespace {

unsigned sync_threads(bool vote, int line) { return Block::active().sync_threads(vote, line); }
void sync_warp(unsigned mask, int line) { Block::active().sync_warp(mask, line); }

void copy_async(void* destination, const void* source, unsigned bytes, unsigned copied, int line) {
    const auto misaligned = [bytes](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bytes != 0; };
    if (misaligned(destination) || misaligned(source))
        Block::active().fault(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned cp.async", misaligned(destination) ? destination : source, line);
    Block::active().copies().add(destination, source, bytes, copied);
}
void commit_copies() { Block::active().copies().commit(); }
void wait_copies(unsigned pending) { Block::active().copies().wait(pending); }
void fault(int code, const char* what, const void* address, int line) { Block::active().fault(code, what, address, line); }

}  // namespace

const Services& services() {
    static const Services all = {sync_threads, sync_warp, copy_async, commit_copies, wait_copies, fault, half_values()};
    return all;
}

}  // namespace cudasim
