// A test is a function; a failed check is an exception. Enough for one program, and no dependency.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace test {

struct Registration {
    Registration(const char* file, const char* name, void (*body)());
};

[[noreturn]] void failed(const char* file, int line, const std::string& what);

template <class A, class B> void check_equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
    if (actual == expected)
        return;
    std::ostringstream what;
    what << text << " is " << actual << ", expected " << expected;
    failed(file, line, what.str());
}

inline void check_contains(const std::string& text, const std::string& part, const char* file, int line) {
    if (text.find(part) == std::string::npos)
        failed(file, line, "\"" + part + "\" is not in \"" + text + "\"");
}

}  // namespace test

#define TEST(name)                                                                                                                                   \
    static void name();                                                                                                                              \
    static const test::Registration registration_of_##name(__FILE__, #name, name);                                                                   \
    static void name()

#define CHECK(condition)                                                                                                                             \
    do {                                                                                                                                             \
        if (!(condition))                                                                                                                            \
            test::failed(__FILE__, __LINE__, #condition);                                                                                            \
    } while (false)
#define CHECK_EQUAL(actual, expected) test::check_equal(actual, expected, #actual, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) test::check_contains(text, part, __FILE__, __LINE__)
