#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>

namespace cudasim {

/// In which order independent things run: the threads of a block, the blocks of a grid, the streams of a context. CUDA promises none.
class Order {
  public:
    enum class Kind { forward, reverse, seeded };

    Order() = default;

    /// "forward", "reverse", or a number: the seed of a pseudo-random order.
    static std::optional<Order> parse(std::string_view text);

    Kind kind() const { return kind_; }
    std::uint64_t seed() const { return seed_; }

  private:
    Kind kind_ = Kind::forward;
    std::uint64_t seed_ = 0;
};

/// Pseudo-random numbers of its own (SplitMix64), the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    /// 0 <= result < n
    std::uint64_t below(std::uint64_t n) { return next() % n; }

  private:
    std::uint64_t state_;
};

/// A permutation of 0..n-1 that takes no memory; n below 2^32.
class Permutation {
  public:
    Permutation(const Order& order, std::uint64_t n, std::uint64_t salt) : n_(n) {
        if (order.kind() == Order::Kind::reverse) {
            factor_ = n - 1, offset_ = n - 1;
        } else if (order.kind() == Order::Kind::seeded && n > 1) {
            Random random(order.seed() ^ salt);
            do {
                factor_ = 1 + random.below(n - 1);
            } while (std::gcd(factor_, n) != 1);
            offset_ = random.below(n);
        }
    }

    std::uint64_t operator[](std::uint64_t i) const { return (i * factor_ + offset_) % n_; }

  private:
    std::uint64_t n_, factor_ = 1, offset_ = 0;
};

}  // namespace cudasim
