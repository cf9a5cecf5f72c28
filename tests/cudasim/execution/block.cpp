#include "block.h"

#include "abi/cuda.h"
#include "core/text.h"

#include <map>

namespace cudasim {

namespace {
Block* active_block = nullptr;
}

Block::Block() : stacks_(max_threads), threads_(max_threads) {}

Block& Block::active() { return *active_block; }

void Block::prepare(Execution& execution, const KernelEntry& kernel, void** arguments) {
    active_block = this;
    execution_ = &execution, kernel_ = &kernel, arguments_ = arguments;
    const Index dim = execution.block_dim;
    size_ = dim.x * dim.y * dim.z;
    for (unsigned i = 0; i < size_; i++) {
        Thread& thread = threads_[i];
        thread.index = {i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y};
        thread.lane = i % warp_size;
        thread.warp = &threads_[i - thread.lane];
        const unsigned lanes = std::min(warp_size, size_ - (i - thread.lane));
        thread.lanes = lanes == warp_size ? ~0u : (1u << lanes) - 1;
    }
}

void Block::arrange(const Order& order, std::uint64_t number) {
    const Permutation permutation(order, size_, number);
    for (unsigned place = 0; place < size_; place++) {
        const auto thread = static_cast<std::uint16_t>(permutation[place]);
        thread_at_[place] = thread, place_of_[thread] = static_cast<std::uint16_t>(place);
    }
}

void Block::run(const Order& order, std::uint64_t number) {
    if (number == 0 || order.kind() == Order::Kind::seeded)
        arrange(order, number);
    at_block_barrier_ = returned_ = votes_ = 0;
    failed_ = false;
    lanes_waiting_ = {};
    for (unsigned i = 0; i < size_; i++) {
        threads_[i].exchanges = 0;
        copies_[i].clear();
        flows_[i] = stacks_.begin(i, thread_main);
        make_ready(i);
    }
    current_ = thread_at_[0];
    execution_->thread = &threads_[current_];
    cudasim_switch(&main_, flows_[current_]);

    if (!failed_ && returned_ != size_)
        fault_ = {CUDA_ERROR_LAUNCH_FAILED, "barrier partners are missing: " + situation(), nullptr, 0, -1}, failed_ = true;
    if (failed_) {
        ready_.clear();
        throw fault_;
    }
}

void Block::thread_main() {
    Block& block = active();
    block.kernel_->call(block.arguments_);
    block.returned_++;
    block.wait(State::returned, 0, 0);
}

void Block::make_ready(unsigned thread) {
    waiting_[thread].state = State::ready;
    ready_.insert(place_of_[thread]);
}

void Block::wait(State state, unsigned mask, int line) {
    waiting_[current_] = {state, mask, line};
    ready_.erase(place_of_[current_]);
    go_on();
}

void Block::go_on() {
    if (const int place = ready_.next(place_of_[current_]); place >= 0)
        run_next(static_cast<unsigned>(place));
    else
        leave();
}

void Block::run_next(unsigned place) {
    const unsigned previous = current_;
    current_ = thread_at_[place];
    execution_->thread = &threads_[current_];
    if (current_ != previous)
        cudasim_switch(&flows_[previous], flows_[current_]);
}

void Block::leave() {
    cudasim_switch(&flows_[current_], main_);
    __builtin_unreachable();
}

unsigned Block::sync_threads(bool vote, int line) {
    votes_ += vote;
    if (++at_block_barrier_ < size_) {
        wait(State::block_barrier, 0, line);
    } else {
        waiting_[current_] = {State::block_barrier, 0, line};
        open_block_barrier();
    }
    return result_;
}

void Block::open_block_barrier() {
    for (unsigned i = 0; i < size_; i++)
        if (waiting_[i].line != waiting_[current_].line)
            fault(CUDA_ERROR_LAUNCH_FAILED, "threads wait at different barriers: " + situation(), nullptr, 0);
    for (unsigned i = 0; i < size_; i++)
        make_ready(i);
    result_ = votes_;
    at_block_barrier_ = votes_ = 0;
    run_next(0);  // not the one that came last: orders differ behind a barrier, too
}

void Block::sync_warp(unsigned mask, int line) {
    const Thread& self = threads_[current_];
    if ((mask >> self.lane & 1) == 0)
        fault(CUDA_ERROR_LAUNCH_FAILED, "the mask of a warp barrier lacks the lane that calls it", nullptr, line);
    const unsigned warp = current_ / warp_size, lanes = mask & self.lanes;
    lanes_waiting_[warp] |= 1u << self.lane;
    if ((lanes_waiting_[warp] & lanes) != lanes) {
        wait(State::warp_barrier, mask, line);
    } else {
        waiting_[current_] = {State::warp_barrier, mask, line};
        open_warp_barrier(warp, lanes);
    }
}

void Block::open_warp_barrier(unsigned warp, unsigned lanes) {
    const Waiting& last = waiting_[current_];
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
        const Waiting& other = waiting_[warp * warp_size + static_cast<unsigned>(__builtin_ctz(rest))];
        if (other.mask != last.mask || other.line != last.line)
            fault(CUDA_ERROR_LAUNCH_FAILED, "lanes of a warp wait for each other in different places: " + situation(), nullptr, 0);
    }
    for (unsigned rest = lanes; rest != 0; rest &= rest - 1)
        make_ready(warp * warp_size + static_cast<unsigned>(__builtin_ctz(rest)));
    lanes_waiting_[warp] &= ~lanes;
}

void Block::fault(int code, std::string what, const void* address, int line) {
    fault_ = {code, std::move(what), address, line, static_cast<int>(current_)};
    failed_ = true;
    leave();
}

void Block::refuse(int code, const char* what, const void* address) {
    fault_.code = code, fault_.what = what, fault_.address = address, fault_.line = 0, fault_.thread = static_cast<int>(current_);
    failed_ = true;
}

std::string Block::situation() const {
    std::map<std::string, std::string> threads_by_state;
    for (unsigned i = 0, first = 0; i < size_; i++) {
        const auto describe = [](const Waiting& w) {
            switch (w.state) {
            case State::block_barrier:
                return text("wait for the block in line ", w.line);
            case State::warp_barrier:
                return text("wait for lanes 0x", std::hex, w.mask, std::dec, " of their warp in line ", w.line);
            case State::returned:
                return std::string("have returned");
            default:
                return std::string("are on their way");
            }
        };
        const std::string state = describe(waiting_[i]);
        if (i + 1 < size_ && describe(waiting_[i + 1]) == state)
            continue;
        std::string& threads = threads_by_state[state];
        threads += threads.empty() ? "" : ", ";
        threads += first == i ? text(first) : text(first, "-", i);
        first = i + 1;
    }
    std::string all;
    for (const auto& [state, threads] : threads_by_state)
        all += (all.empty() ? "threads " : "; threads ") + threads + " " + state;
    return all;
}

}  // namespace cudasim
