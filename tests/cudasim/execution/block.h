#pragma once

#include "async_copies.h"
#include "core/order.h"
#include "fiber.h"
#include "prelude/execution.h"
#include "ready_set.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace cudasim {

/// Why a block did not come to its end.
struct Fault {
    int code;
    std::string what;
    const void* address;  ///< or null
    int line;             ///< or 0
    int thread;           ///< or -1: the block as a whole
};

/// The threads of a block as fibers of one thread of the system. A thread runs until it waits, and then the next one in the order runs. There is one block
/// at a time, and one object for all of them.
class Block {
  public:
    Block();

    /// The one whose thread is running.
    static Block& active();

    /// For the blocks of one launch. The arguments stay the caller's.
    void prepare(Execution& execution, const KernelEntry& kernel, void** arguments);

    /// Runs all threads of execution.block_index, the number-th of the grid. Throws Fault.
    void run(const Order& order, std::uint64_t number);

    const Thread& thread(int i) const { return threads_[static_cast<std::size_t>(i)]; }
    const Stacks& stacks() const { return stacks_; }

    // == from the threads ==
    unsigned sync_threads(bool vote, int line);
    void sync_warp(unsigned mask, int line);
    AsyncCopies& copies() { return copies_[current_]; }
    [[noreturn]] void fault(int code, std::string what, const void* address, int line);
    /// From a signal handler: the thread has made an access that the processor refused. Continue at leave().
    void refuse(int code, const char* what, const void* address);
    [[noreturn]] void leave();

  private:
    enum class State : std::uint8_t { ready, block_barrier, warp_barrier, returned };
    struct Waiting {
        State state;
        unsigned mask;
        int line;
    };

    static void thread_main();
    void arrange(const Order& order, std::uint64_t number);
    void make_ready(unsigned thread);
    void wait(State state, unsigned mask, int line);
    /// Runs the next thread that can go on; leaves when there is none.
    void go_on();
    void run_next(unsigned place);
    void open_block_barrier();
    void open_warp_barrier(unsigned warp, unsigned lanes);
    /// Which threads do what, in words.
    std::string situation() const;

    Stacks stacks_;
    std::vector<Thread> threads_;
    std::array<Flow, max_threads> flows_;
    std::array<Waiting, max_threads> waiting_;
    std::array<AsyncCopies, max_threads> copies_;
    std::array<std::uint16_t, max_threads> thread_at_, place_of_;
    std::array<unsigned, max_threads / warp_size> lanes_waiting_;  ///< at a warp barrier
    ReadySet ready_;
    Flow main_ = nullptr;
    Execution* execution_ = nullptr;
    const KernelEntry* kernel_ = nullptr;
    void** arguments_ = nullptr;
    unsigned size_ = 0, current_ = 0, at_block_barrier_ = 0, returned_ = 0, votes_ = 0, result_ = 0;
    bool failed_ = false;
    Fault fault_{};
};

}  // namespace cudasim
