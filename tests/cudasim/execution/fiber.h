#pragma once

#include <cstddef>

namespace cudasim {

/// A suspended flow of control: its stack pointer, under which lie its saved registers.
using Flow = void*;

/// Continues `to` and leaves what is needed to continue here in `from`.
extern "C" void cudasim_switch(Flow* from, Flow to);

/// Stacks for the threads of a block, each behind a page that faults.
class Stacks {
  public:
    explicit Stacks(std::size_t count);
    ~Stacks();
    Stacks(const Stacks&) = delete;
    Stacks& operator=(const Stacks&) = delete;

    /// A flow that will begin at `entry` on stack i. What was on that stack is forgotten.
    Flow begin(std::size_t i, void (*entry)());

    /// Whether an address lies in the stacks, or in the page that guards one.
    bool contain(const void* address) const;
    bool overflowed(const void* address) const;

  private:
    std::byte* memory_;
    std::size_t count_;
};

}  // namespace cudasim
