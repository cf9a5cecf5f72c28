#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace cudasim {

/// A piece of memory that a kernel may touch. Its bytes start as 0xFF (NaN in every float type); in front of it and behind it stand 64 canary bytes and
/// then a page that faults.
struct Allocation {
    enum class Kind { device, pinned, registered, global };

    std::byte* begin;
    std::size_t size;
    Kind kind;
    std::uint64_t number;  ///< counts allocations from 1, to name them
    void* mapping;         ///< null where the memory is not ours
    std::size_t mapped;

    std::byte* end() const { return begin + size; }
};

/// The allocations of a device, or of the host's pinned memory.
class Memory {
  public:
    explicit Memory(std::size_t capacity) : capacity_(capacity) {}
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    /// Null when there is no room.
    void* allocate(std::size_t size, Allocation::Kind kind);

    /// Takes note of memory that is not ours: registered host memory, a module's globals. It has no canaries.
    void adopt(void* begin, std::size_t size, Allocation::Kind kind);

    /// Gives back what starts at p: device memory faults from now on, pinned memory becomes 0xFF. Throws where a canary is damaged.
    void release(void* p);
    void disown(void* p);

    /// The allocation that p points into, or just behind; null where there is none.
    const Allocation* find(const void* p) const;
    bool holds(const void* p, std::size_t bytes) const;

    /// Throws ILLEGAL_ADDRESS when someone wrote beside an allocation.
    void check_canaries() const;
    void check_canaries(const Allocation& allocation) const;

    /// Where p points to, in words.
    std::string describe(const void* p) const;

    std::size_t capacity() const { return capacity_; }
    std::size_t used() const { return used_; }
    /// How many allocations of a kind are alive, and one line about them; "" where there are none.
    std::string leaks() const;

  private:
    void retire(const Allocation& allocation);

    std::size_t capacity_, used_ = 0;
    std::uint64_t count_ = 0;
    std::map<const std::byte*, Allocation> live_;
    std::deque<Allocation> retired_;
};

/// Page-locked memory of the host, which every device can reach.
Memory& host_memory();

}  // namespace cudasim
