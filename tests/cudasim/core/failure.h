#pragma once

#include <string>
#include <utility>

namespace cudasim {

/// An error on its way to the caller of an entry point: a code of the library that was called, and what happened, for the report.
struct Failure {
    int code;
    std::string what;
};

[[noreturn]] inline void fail(int code, std::string what) { throw Failure{code, std::move(what)}; }

inline void require(bool holds, int code, const char* what) {
    if (!holds)
        fail(code, what);
}

}  // namespace cudasim
