#include "driver.h"

#include "core/forever.h"
#include "core/settings.h"
#include "execution/module.h"

#include <algorithm>

namespace cudasim {

namespace {
/// Says at the end of the process what was not given back.
struct Farewell {
    ~Farewell() { Driver::instance().report_leaks(); }
};
}  // namespace

Driver& Driver::instance() {
    static Driver& driver = forever<Driver>();
    static const Farewell farewell;
    return driver;
}

void Driver::report_leaks() const {
    for (const Primary& primary : primaries_)
        if (primary.context != nullptr && primary.context->fatal() == 0)
            report(text("device ", primary.context->device(), ": its context was not released"));
    if (const std::string leaks = host_memory().leaks(); !leaks.empty())
        report("host: " + leaks);
}

void Driver::require_device(int device) const { require(device >= 0 && device < settings().devices, CUDA_ERROR_INVALID_DEVICE, "no such device"); }

Driver::Primary& Driver::primary(int device) {
    require_device(device);
    if (primaries_.size() <= static_cast<std::size_t>(device))
        primaries_.resize(static_cast<std::size_t>(device) + 1);
    return primaries_[static_cast<std::size_t>(device)];
}

Context* Driver::retain(int device) {
    Primary& p = primary(device);
    if (p.references++ == 0)
        p.context = std::make_unique<Context>(device);
    return p.context.get();
}

void Driver::release(int device) {
    Primary& p = primary(device);
    require(p.references > 0, CUDA_ERROR_INVALID_CONTEXT, "the context is not retained");
    if (--p.references > 0)
        return;
    const auto context = std::move(p.context);
    if (context->fatal() == 0)
        context->synchronize();
}

bool Driver::active(int device) const {
    return static_cast<std::size_t>(device) < primaries_.size() && primaries_[static_cast<std::size_t>(device)].context != nullptr;
}

bool Driver::lives(const Context* context) const {
    return std::any_of(primaries_.begin(), primaries_.end(), [context](const Primary& p) { return p.context.get() == context; });
}

std::vector<Context*>& context_stack() {
    static thread_local std::vector<Context*> stack;
    return stack;
}

Context* Context::current() {
    const auto& stack = context_stack();
    return !stack.empty() && Driver::instance().lives(stack.back()) ? stack.back() : nullptr;
}

}  // namespace cudasim
