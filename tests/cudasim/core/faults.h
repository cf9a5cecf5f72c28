#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudasim {

/// Failures on demand: "call@n=code" fails the n-th call of an entry point once, "call@n+=code" that one and all later ones. Several are joined by commas.
/// Calls count from when the rules were set.
class Faults {
  public:
    /// Replaces the rules; false, and no rule, when the text is not understood.
    bool configure(std::string_view text);

    /// The code that this call of an entry point has to fail with, or 0.
    int strike(std::string_view call);

  private:
    struct Rule {
        std::string call;
        int first;
        bool forever;
        int code;
        int calls;
    };
    std::vector<Rule> rules_;
};

Faults& faults();

}  // namespace cudasim
