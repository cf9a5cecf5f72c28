#pragma once

#include "memory.h"
#include "stream.h"

#include <map>
#include <memory>
#include <vector>

namespace cudasim {

class Module;

/// Objects by the handle that the host has: their address.
template <class T> class Handles {
  public:
    T* add(std::shared_ptr<T> object) {
        T* handle = object.get();
        objects_[handle] = std::move(object);
        return handle;
    }
    /// Null where the handle is not, or no longer, one of these.
    std::shared_ptr<T> find(const void* handle) const {
        const auto found = objects_.find(handle);
        return found == objects_.end() ? nullptr : found->second;
    }
    void remove(const void* handle) { objects_.erase(handle); }
    std::vector<std::shared_ptr<T>> all() const {
        std::vector<std::shared_ptr<T>> all;
        for (const auto& [handle, object] : objects_)
            all.push_back(object);
        return all;
    }

  private:
    std::map<const void*, std::shared_ptr<T>> objects_;
};

/// The primary context of a device: its memory, streams and modules.
class Context {
  public:
    explicit Context(int device);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    /// The context of the calling thread, or null.
    static Context* current();

    int device() const { return device_; }
    Memory& memory() { return memory_; }
    Handles<Module>& modules() { return modules_; }
    Handles<Event>& events() { return events_; }

    std::shared_ptr<Stream> create_stream(bool blocking);
    void destroy_stream(const void* handle);
    /// The stream of a handle; null and 1 are the default stream. Throws INVALID_HANDLE.
    std::shared_ptr<Stream> stream(const void* handle);
    /// Number of a stream in order of creation, 0 for the default stream: its name in the trace.
    std::size_t number(const Stream& stream) const;

    /// Queues work behind what the default stream's rule puts in front of it.
    void enqueue(const std::shared_ptr<Stream>& stream, Stream::Work work);

    /// Runs everything, in the configured order of streams, and checks the canaries.
    void synchronize();

    /// After a failure like this one a CUDA context is of no more use: every later call returns its code.
    static bool is_fatal(int code);
    void kill(int code);
    int fatal() const { return fatal_; }

  private:
    void synchronize_step_by_step();

    int device_;
    Memory memory_;
    std::shared_ptr<Stream> default_stream_;
    std::vector<std::shared_ptr<Stream>> streams_;  ///< all that were ever created
    std::map<const void*, std::shared_ptr<Stream>> open_streams_;
    Handles<Event> events_;
    Handles<Module> modules_;
    int fatal_ = 0;
};

}  // namespace cudasim
