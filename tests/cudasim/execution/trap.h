#pragma once

namespace cudasim {

/// While it lives, an access that the processor refuses ends the kernel's launch and not the process. Signals of other origin go where they went before.
class Trap {
  public:
    Trap();
    ~Trap();
    Trap(const Trap&) = delete;
    Trap& operator=(const Trap&) = delete;

  private:
    bool has_signal_stack_;
};

}  // namespace cudasim
