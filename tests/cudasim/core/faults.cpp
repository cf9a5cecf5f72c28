#include "faults.h"

#include "forever.h"

#include <regex>

namespace cudasim {

bool Faults::configure(std::string_view text) {
    static const std::regex pattern(R"((\w+)@(\d{1,9})(\+?)=(\d{1,9}))");
    rules_.clear();
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string rule(text.substr(0, comma));
        std::smatch match;
        if (!std::regex_match(rule, match, pattern)) {
            rules_.clear();
            return false;
        }
        rules_.push_back({match[1], std::stoi(match[2]), match[3].length() > 0, std::stoi(match[4]), 0});
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return true;
}

int Faults::strike(std::string_view call) {
    int code = 0;
    for (Rule& rule : rules_)
        if (rule.call == call) {
            rule.calls++;
            if (rule.calls == rule.first || (rule.forever && rule.calls > rule.first))
                code = rule.code;
        }
    return code;
}

Faults& faults() {
    static Faults& instance = forever<Faults>();
    return instance;
}

}  // namespace cudasim
