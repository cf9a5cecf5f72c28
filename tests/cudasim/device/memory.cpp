#include "memory.h"

#include "abi/cuda.h"
#include "core/failure.h"
#include "core/forever.h"
#include "core/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <sys/mman.h>

namespace cudasim {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t alignment = 256;  // CUDA's promise
constexpr std::size_t canary_bytes = 64;
constexpr std::size_t retired_limit = 1024;
constexpr std::uint16_t canary = 0xffa5;  // a NaN in every float type, but not the one that memory starts with

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

using Canary = std::array<std::uint16_t, canary_bytes / 2>;

Canary intact_canary() {
    Canary all;
    all.fill(canary);
    return all;
}

void write_canary(std::byte* p) {
    const Canary intact = intact_canary();
    std::memcpy(p, intact.data(), canary_bytes);
}

/// The first damaged byte, or canary_bytes.
std::size_t damage(const std::byte* p) {
    static const Canary intact = intact_canary();
    if (std::memcmp(p, intact.data(), canary_bytes) == 0)
        return canary_bytes;
    const auto* expected = reinterpret_cast<const std::byte*>(intact.data());
    return static_cast<std::size_t>(std::mismatch(p, p + canary_bytes, expected).first - p);
}

const char* name(Allocation::Kind kind) {
    switch (kind) {
    case Allocation::Kind::device:
        return "device allocation";
    case Allocation::Kind::pinned:
        return "pinned allocation";
    case Allocation::Kind::registered:
        return "registered host memory";
    default:
        return "module global";
    }
}

std::string name(const Allocation& a) { return text(name(a.kind), " #", a.number, " (", a.size, " bytes)"); }

}  // namespace

Memory::~Memory() {
    for (const auto& [begin, allocation] : live_)
        if (allocation.mapping != nullptr)
            munmap(allocation.mapping, allocation.mapped);
    for (const Allocation& allocation : retired_)
        munmap(allocation.mapping, allocation.mapped);
}

void* Memory::allocate(std::size_t size, Allocation::Kind kind) {
    if (size > capacity_ - used_)
        return nullptr;
    const std::size_t inner = round_up(alignment + size + canary_bytes, page), mapped = inner + 2 * page;
    void* mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return nullptr;
    std::byte* begin = static_cast<std::byte*>(mapping) + page + alignment;
    if (mprotect(begin - alignment, inner, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping, mapped);
        return nullptr;
    }
    std::memset(begin, 0xff, size);
    write_canary(begin - canary_bytes);
    write_canary(begin + size);
    live_[begin] = {begin, size, kind, ++count_, mapping, mapped};
    used_ += size;
    return begin;
}

void Memory::adopt(void* begin, std::size_t size, Allocation::Kind kind) {
    live_[static_cast<std::byte*>(begin)] = {static_cast<std::byte*>(begin), size, kind, ++count_, nullptr, 0};
}

void Memory::release(void* p) {
    const auto found = live_.find(static_cast<std::byte*>(p));
    if (found == live_.end() || found->second.mapping == nullptr)
        fail(CUDA_ERROR_INVALID_VALUE, text(describe(p), " was not allocated, or is free already"));
    const Allocation allocation = found->second;
    check_canaries(allocation);
    live_.erase(found);
    used_ -= allocation.size;
    retire(allocation);
}

void Memory::retire(const Allocation& allocation) {
    if (allocation.kind == Allocation::Kind::device) {
        madvise(allocation.mapping, allocation.mapped, MADV_DONTNEED);
        mprotect(allocation.mapping, allocation.mapped, PROT_NONE);
    } else {
        std::memset(allocation.begin, 0xff, allocation.size);  // a fault would end the host's process
    }
    retired_.push_back(allocation);
    if (retired_.size() > retired_limit) {
        munmap(retired_.front().mapping, retired_.front().mapped);
        retired_.pop_front();
    }
}

void Memory::disown(void* p) { live_.erase(static_cast<std::byte*>(p)); }

const Allocation* Memory::find(const void* p) const {
    const auto address = static_cast<const std::byte*>(p);
    auto after = live_.upper_bound(address);
    if (after == live_.begin())
        return nullptr;
    const Allocation& allocation = std::prev(after)->second;
    return address <= allocation.end() ? &allocation : nullptr;
}

bool Memory::holds(const void* p, std::size_t bytes) const {
    const Allocation* allocation = find(p);
    return allocation != nullptr && bytes <= static_cast<std::size_t>(allocation->end() - static_cast<const std::byte*>(p));
}

void Memory::check_canaries() const {
    for (const auto& [begin, allocation] : live_)
        check_canaries(allocation);
}

void Memory::check_canaries(const Allocation& allocation) const {
    if (allocation.mapping == nullptr)
        return;
    if (const auto offset = damage(allocation.end()); offset < canary_bytes)
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text("something wrote to byte ", allocation.size + offset, " of ", name(allocation), ", behind its end"));
    if (const auto offset = damage(allocation.begin - canary_bytes); offset < canary_bytes)
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, text("something wrote to byte -", canary_bytes - offset, " of ", name(allocation), ", in front of it"));
}

std::string Memory::describe(const void* p) const {
    if (p == nullptr)
        return "a null pointer";
    const auto address = static_cast<const std::byte*>(p);
    const Allocation* nearest = nullptr;
    std::size_t nearest_distance = 2 * page;
    const auto consider = [&](const Allocation& a) {
        const auto distance = static_cast<std::size_t>(address < a.begin ? a.begin - address : address >= a.end() ? address - a.end() : 0);
        if (distance < nearest_distance)
            nearest = &a, nearest_distance = distance;
    };
    const auto after = live_.upper_bound(address);
    if (after != live_.end())
        consider(after->second);
    if (after != live_.begin())
        consider(std::prev(after)->second);
    if (nearest != nullptr) {
        if (address >= nearest->begin && address < nearest->end())
            return text("byte ", address - nearest->begin, " of ", name(*nearest));
        return text(nearest_distance, " bytes ", address < nearest->begin ? "in front of " : "behind the end of ", name(*nearest));
    }
    for (const Allocation& a : retired_)
        if (address >= a.begin && address < a.end())
            return text("byte ", address - a.begin, " of the freed ", name(a));
    return text("the address ", p, ", no memory of the device,");
}

std::string Memory::leaks() const {
    std::size_t count = 0, bytes = 0;
    const Allocation* first = nullptr;
    for (const auto& [begin, a] : live_)
        if (a.mapping != nullptr) {
            count++, bytes += a.size;
            first = first == nullptr || a.number < first->number ? &a : first;
        }
    return count == 0 ? "" : text(count, " allocations leak, ", bytes, " bytes; the first is ", name(*first));
}

Memory& host_memory() {
    static Memory& memory = forever<Memory>(std::numeric_limits<std::size_t>::max());
    return memory;
}

}  // namespace cudasim
