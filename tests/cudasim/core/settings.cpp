#include "settings.h"

#include "abi/cudasim.h"
#include "call.h"
#include "faults.h"
#include "forever.h"

#include <charconv>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>

namespace cudasim {

std::optional<Order> Order::parse(std::string_view text) {
    Order order;
    if (text == "reverse") {
        order.kind_ = Kind::reverse;
    } else if (text != "forward") {
        order.kind_ = Kind::seeded;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), order.seed_);
        if (error != std::errc() || end != text.data() + text.size())
            return std::nullopt;
    }
    return order;
}

namespace {

bool set_number(int& target, std::string_view text, int least, int most = std::numeric_limits<int>::max()) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
        return false;
    target = value;
    return true;
}

/// The path under which this library was loaded first, through a link in cuda12/ or cuda13/ perhaps.
std::filesystem::path library() {
    Dl_info info;
    return dladdr(reinterpret_cast<const void*>(&settings), &info) != 0 ? info.dli_fname : "";
}

using Setter = std::function<bool(Settings&, const std::string&)>;

const std::map<std::string, Setter>& setters() {
    static const std::map<std::string, Setter> all = {
        {"CUDASIM_ORDER",
         [](Settings& s, const std::string& text) {
             const auto order = Order::parse(text);
             s.order = order.value_or(s.order);
             return order.has_value();
         }},
        {"CUDASIM_MEMORY_MB",
         [](Settings& s, const std::string& text) {
             int megabytes = 0;
             const bool valid = set_number(megabytes, text, 1);
             s.memory_bytes = valid ? std::size_t(megabytes) << 20 : s.memory_bytes;
             return valid;
         }},
        {"CUDASIM_CC",
         [](Settings& s, const std::string& text) {
             return (text == "75" || text == "80" || text == "86" || text == "89" || text == "90") && set_number(s.compute_capability, text, 75);
         }},
        {"CUDASIM_DEVICES", [](Settings& s, const std::string& text) { return set_number(s.devices, text, 0, 16); }},
        {"CUDASIM_TOOLKIT", [](Settings& s, const std::string& text) { return set_number(s.toolkit, text, 12000); }},
        {"CUDASIM_DRIVER", [](Settings& s, const std::string& text) { return set_number(s.driver, text, 0); }},
        {"CUDASIM_CACHE", [](Settings& s, const std::string& text) { return s.cache = text, true; }},
        {"CUDASIM_CXX", [](Settings& s, const std::string& text) { return s.compiler = text, true; }},
        {"CUDASIM_TRACE", [](Settings& s, const std::string& text) { return s.trace = text, true; }},
        {"CUDASIM_REPORT", [](Settings& s, const std::string& text) { return s.report = text, true; }},
        {"CUDASIM_FAIL", [](Settings&, const std::string& text) { return faults().configure(text); }},
    };
    return all;
}

Settings from_environment() {
    Settings s;
    const auto path = library();
    s.toolkit = path.parent_path().filename() == "cuda12" ? 12090 : 13000;
    s.cache = (std::filesystem::canonical(path).parent_path() / "kernels").string();
    s.compiler = "g++";
    for (const auto& [name, set] : setters())
        if (const char* value = std::getenv(name.c_str()); value != nullptr && !set(s, value)) {
            std::fprintf(stderr, "cudasim: %s=%s is not understood\n", name.c_str(), value);
            std::exit(2);
        }
    return s;
}

Settings& mutable_settings() {
    static Settings& s = forever<Settings>(from_environment());
    return s;
}

}  // namespace

const Settings& settings() { return mutable_settings(); }

}  // namespace cudasim

int cudasimConfigure(const char* variable, const char* value) {
    const std::lock_guard lock(cudasim::machine_lock());
    const auto setter = cudasim::setters().find(variable);
    return setter != cudasim::setters().end() && setter->second(cudasim::mutable_settings(), value) ? 0 : 1;
}
