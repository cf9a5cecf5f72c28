#include "kernel_parser.h"

#include <algorithm>
#include <cctype>

namespace cudasim {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Words and single characters, without literals, line markers and directives.
std::vector<std::string_view> tokens_of(std::string_view source) {
    std::vector<std::string_view> tokens;
    bool line_start = true;
    for (std::size_t i = 0; i < source.size();) {
        const char c = source[i];
        if (c == '\n') {
            line_start = true, i++;
        } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            i++;
        } else if (c == '#' && line_start) {
            i = std::min(source.find('\n', i), source.size());
        } else if (c == '"' || c == '\'') {
            for (i++; i < source.size() && source[i] != c; i++)
                i += source[i] == '\\';
            i++, line_start = false;
        } else {
            std::size_t end = i + 1;
            while (is_word(c) && end < source.size() && (is_word(source[end]) || source[end] == '\''))
                end++;
            tokens.push_back(source.substr(i, end - i));
            i = end, line_start = false;
        }
    }
    return tokens;
}

class Parser {
  public:
    explicit Parser(std::string_view source) : tokens_(tokens_of(source)) {}

    ParsedSource parse() {
        for (std::size_t i = 0; i < tokens_.size(); i++) {
            if (tokens_[i] == "__global__")
                kernel(i);
            else if (tokens_[i] == "extern" && at(i + 1) == "__shared__")
                dynamic_shared(i + 2);
        }
        return std::move(found_);
    }

  private:
    std::string_view at(std::size_t i) const { return i < tokens_.size() ? tokens_[i] : std::string_view(); }

    /// Behind the parenthesis that closes the one at i.
    std::size_t behind_parentheses(std::size_t i) const {
        int depth = 0;
        for (; i < tokens_.size(); i++) {
            depth += tokens_[i] == "(" ? 1 : tokens_[i] == ")" ? -1 : 0;
            if (depth == 0)
                return i + 1;
        }
        return i;
    }

    std::string join(std::size_t from, std::size_t to) const {
        std::string all;
        for (; from < to; from++)
            all.append(all.empty() ? "" : " ").append(tokens_[from]);
        return all;
    }

    bool is_template(std::size_t i) const {
        while (i > 0 && at(i - 1) != ";" && at(i - 1) != "}" && at(i - 1) != "{")
            if (at(--i) == "template")
                return true;
        return false;
    }

    /// __global__ [__launch_bounds__(...)] void [__launch_bounds__(...)] name(...) {
    void kernel(std::size_t start) {
        KernelSource kernel{"", "", is_template(start)};
        std::size_t i = start + 1;
        for (; i < tokens_.size() && at(i) != "{" && at(i) != ";"; i++) {
            if (at(i + 1) != "(")
                continue;
            const std::size_t behind = behind_parentheses(i + 1);
            if (at(i) == "__launch_bounds__") {
                kernel.launch_bounds = join(i + 2, behind - 1);
            } else if (at(i) != "__attribute__" && at(i) != "__align__") {
                kernel.name = at(i);
                i = behind;
                break;
            }
            i = behind - 1;
        }
        if (!kernel.name.empty() && at(i) == "{")
            found_.kernels.push_back(std::move(kernel));
    }

    void dynamic_shared(std::size_t i) {
        std::string type;
        for (; i < tokens_.size() && at(i + 1) != "[" && at(i) != ";"; i++) {
            if ((at(i) == "__align__" || at(i) == "alignas") && at(i + 1) == "(")
                i = behind_parentheses(i + 1) - 1;
            else
                type.append(type.empty() ? "" : " ").append(at(i));
        }
        const DynamicShared array{type, std::string(at(i))};
        const auto same = [&](const DynamicShared& other) { return other.type == array.type && other.name == array.name; };
        if (at(i + 1) == "[" && std::none_of(found_.dynamic_shared.begin(), found_.dynamic_shared.end(), same))
            found_.dynamic_shared.push_back(array);
    }

    std::vector<std::string_view> tokens_;
    ParsedSource found_;
};

}  // namespace

ParsedSource parse_kernels(std::string_view source) { return Parser(source).parse(); }

}  // namespace cudasim
