#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

namespace cudasim {

class Context;

/// A queue of work that nobody starts: it runs when a synchronise, a query or a wait asks for it, so that a forgotten one shows.
class Stream {
  public:
    Stream(Context& context, bool blocking) : context_(context), blocking_(blocking) {}

    using Work = std::function<void()>;

    /// Queues work; the ticket says when it will have been done.
    std::uint64_t push(Work work) {
        queue_.push_back(std::move(work));
        return ++queued_;
    }

    /// Runs the queue up to a ticket. A failure ends the context.
    void run_until(std::uint64_t ticket);
    void run() { run_until(queued_); }
    /// Runs one piece of work.
    void step();

    bool done(std::uint64_t ticket) const { return finished_ >= ticket; }
    bool idle() const { return queue_.empty(); }
    std::uint64_t last_ticket() const { return queued_; }
    void drop() { finished_ = queued_, queue_.clear(); }

    Context& context() const { return context_; }
    /// Whether it waits for the default stream, and the default stream for it.
    bool blocking() const { return blocking_; }

  private:
    Context& context_;
    bool blocking_;
    std::deque<Work> queue_;
    std::uint64_t queued_ = 0, finished_ = 0;
};

/// A point in a stream.
struct Event {
    bool timed = true;
    std::shared_ptr<Stream> stream;  ///< null until recorded
    std::uint64_t ticket = 0;
    double milliseconds = 0;
};

}  // namespace cudasim
