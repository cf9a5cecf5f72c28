#pragma once

#include "failure.h"
#include "faults.h"
#include "report.h"
#include "text.h"

#include <mutex>

namespace cudasim {

/// One call at a time: the simulator has one processor, and nothing to gain from more.
std::recursive_mutex& machine_lock();

/// Fails the call where CUDASIM_FAIL says so. The failure has no text, so that it is not reported.
inline void strike(const char* call) {
    if (const int code = faults().strike(call); code != 0)
        fail(code, "");
}

/// Runs the body of an entry point and turns what it throws into its status: nothing crosses the C ABI.
template <class Status, class Body> Status enter(const char* call, Body&& body) noexcept {
    const std::lock_guard lock(machine_lock());
    try {
        body();
        return Status(0);
    } catch (const Failure& failure) {
        if (!failure.what.empty())
            report(text(call, ": ", failure.what, " (", failure.code, ")"));
        return Status(failure.code);
    }
}

}  // namespace cudasim
