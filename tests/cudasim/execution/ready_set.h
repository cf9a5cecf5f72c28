#pragma once

#include <array>
#include <cstdint>

namespace cudasim {

/// The threads of a block that can go on, by their place in the order.
class ReadySet {
  public:
    void insert(unsigned i) { words_[i / 64] |= std::uint64_t{1} << i % 64; }
    void erase(unsigned i) { words_[i / 64] &= ~(std::uint64_t{1} << i % 64); }
    void clear() { words_ = {}; }

    /// The first one from a place on, then from the start on; -1 when there is none.
    int next(unsigned from) const {
        const int ahead = scan(from);
        return ahead >= 0 ? ahead : scan(0);
    }

  private:
    int scan(unsigned from) const {
        std::uint64_t mask = ~std::uint64_t{0} << from % 64;
        for (unsigned w = from / 64; w < words_.size(); w++, mask = ~std::uint64_t{0})
            if (const std::uint64_t word = words_[w] & mask; word != 0)
                return static_cast<int>(w * 64) + __builtin_ctzll(word);
        return -1;
    }

    std::array<std::uint64_t, 16> words_{};
};

}  // namespace cudasim
