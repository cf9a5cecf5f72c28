#include "context.h"

#include "abi/cuda.h"
#include "core/failure.h"
#include "core/report.h"
#include "core/settings.h"
#include "core/text.h"
#include "execution/module.h"

#include <algorithm>

namespace cudasim {

void Stream::step() {
    Work work = std::move(queue_.front());
    queue_.pop_front();
    try {
        work();
    } catch (const Failure& failure) {
        context_.kill(failure.code);
        throw;
    }
    finished_++;
}

void Stream::run_until(std::uint64_t ticket) {
    while (finished_ < ticket)
        step();
}

Context::Context(int device) : device_(device), memory_(settings().memory_bytes), default_stream_(std::make_shared<Stream>(*this, true)) {
    streams_.push_back(default_stream_);
}

Context::~Context() {
    if (fatal_ != 0)
        return;
    if (const std::string leaks = memory_.leaks(); !leaks.empty())
        report(text("device ", device_, ": ", leaks));
    if (!open_streams_.empty() || !events_.all().empty() || !modules_.all().empty())
        report(text("device ", device_, ": ", open_streams_.size(), " streams, ", events_.all().size(), " events and ", modules_.all().size(),
                    " modules leak"));
}

std::shared_ptr<Stream> Context::create_stream(bool blocking) {
    auto stream = std::make_shared<Stream>(*this, blocking);
    streams_.push_back(stream);
    open_streams_[stream.get()] = stream;
    return stream;
}

void Context::destroy_stream(const void* handle) { require(open_streams_.erase(handle) == 1, CUDA_ERROR_INVALID_HANDLE, "no such stream"); }

std::shared_ptr<Stream> Context::stream(const void* handle) {
    if (reinterpret_cast<std::uintptr_t>(handle) <= 1)
        return default_stream_;
    const auto found = open_streams_.find(handle);
    require(found != open_streams_.end(), CUDA_ERROR_INVALID_HANDLE, "no such stream in this context");
    return found->second;
}

std::size_t Context::number(const Stream& stream) const {
    return static_cast<std::size_t>(std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s.get() == &stream; }) -
                                    streams_.begin());
}

void Context::enqueue(const std::shared_ptr<Stream>& stream, Stream::Work work) {
    const auto wait_for = [&](const std::shared_ptr<Stream>& other) {
        if (!other->idle())
            stream->push([other, ticket = other->last_ticket()] { other->run_until(ticket); });
    };
    if (stream == default_stream_) {
        for (const auto& other : streams_)
            if (other != stream && other->blocking())
                wait_for(other);
    } else if (stream->blocking()) {
        wait_for(default_stream_);
    }
    stream->push(std::move(work));
}

void Context::synchronize() {
    if (settings().order.kind() == Order::Kind::seeded) {
        synchronize_step_by_step();
    } else {
        const bool reverse = settings().order.kind() == Order::Kind::reverse;
        for (std::size_t i = 0; i < streams_.size(); i++)
            streams_[reverse ? streams_.size() - 1 - i : i]->run();
    }
    memory_.check_canaries();
    host_memory().check_canaries();
}

void Context::synchronize_step_by_step() {
    Random random(settings().order.seed());
    for (std::vector<Stream*> busy;; busy.clear()) {
        for (const auto& stream : streams_)
            if (!stream->idle())
                busy.push_back(stream.get());
        if (busy.empty())
            return;
        busy[random.below(busy.size())]->step();
    }
}

bool Context::is_fatal(int code) {
    return code == CUDA_ERROR_ECC_UNCORRECTABLE || code == CUDA_ERROR_NVLINK_UNCORRECTABLE || code == CUDA_ERROR_CONTAINED ||
           code == CUDA_ERROR_ILLEGAL_ADDRESS || code == CUDA_ERROR_LAUNCH_TIMEOUT || code == CUDA_ERROR_CONTEXT_IS_DESTROYED ||
           code == CUDA_ERROR_ASSERT || (code >= CUDA_ERROR_HARDWARE_STACK_ERROR && code <= CUDA_ERROR_LAUNCH_FAILED) ||
           code == CUDA_ERROR_TENSOR_MEMORY_LEAK;
}

void Context::kill(int code) {
    fatal_ = code;
    for (const auto& stream : streams_)
        stream->drop();
}

}  // namespace cudasim
