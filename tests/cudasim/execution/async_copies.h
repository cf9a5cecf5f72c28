#pragma once

#include <cstring>
#include <vector>

namespace cudasim {

/// The cp.async copies of one thread. They are made as late as the program allows, so that a missing wait shows.
class AsyncCopies {
  public:
    void add(void* destination, const void* source, unsigned bytes, unsigned copied) {
        copies_.push_back({destination, source, bytes, copied, groups_});
    }
    void commit() { groups_++; }

    /// Makes the copies of all groups but the last `pending`.
    void wait(unsigned pending) {
        std::size_t done = 0;
        for (; done < copies_.size() && copies_[done].group + pending < groups_; done++) {
            const Copy& copy = copies_[done];
            std::memcpy(copy.destination, copy.source, copy.copied);
            std::memset(static_cast<char*>(copy.destination) + copy.copied, 0, copy.bytes - copy.copied);
        }
        copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(done));
    }

    void clear() { copies_.clear(), groups_ = 0; }

  private:
    struct Copy {
        void* destination;
        const void* source;
        unsigned bytes, copied, group;
    };
    std::vector<Copy> copies_;
    unsigned groups_ = 0;
};

}  // namespace cudasim
