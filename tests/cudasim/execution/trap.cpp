#include "trap.h"

#include "abi/cuda.h"
#include "block.h"

#include <array>
#include <csignal>
#include <cstddef>
#include <ucontext.h>

namespace cudasim {

namespace {

constexpr std::array signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
std::array<struct sigaction, signals.size()> previous_actions;
alignas(16) std::byte emergency_stack[32 << 10];  // for leaving a thread whose own stack is used up
alignas(16) std::byte signal_stack[64 << 10];

void leave() { Block::active().leave(); }

void pass_on(int signal, siginfo_t* info, void* context) {
    std::size_t i = 0;
    while (signals[i] != signal)
        i++;
    const struct sigaction& previous = previous_actions[i];
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else {
        sigaction(signal, &previous, nullptr);  // the access is repeated, and has its default effect
    }
}

void handle(int signal, siginfo_t* info, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    Block& block = Block::active();
    const auto stack = reinterpret_cast<const void*>(registers[REG_RSP]);
    if (!block.stacks().contain(stack)) {
        pass_on(signal, info, context);
        return;
    }
    if (signal == SIGFPE)
        block.refuse(CUDA_ERROR_LAUNCH_FAILED, "integer division by zero", nullptr);
    else if (signal == SIGILL)
        block.refuse(CUDA_ERROR_ILLEGAL_INSTRUCTION, "illegal instruction", nullptr);
    else if (block.stacks().overflowed(info->si_addr))
        block.refuse(CUDA_ERROR_LAUNCH_FAILED, "the stack of a thread, 64 KiB here, is used up", nullptr);
    else
        block.refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "illegal address", info->si_code == SI_KERNEL ? nullptr : info->si_addr);
    // Continue as if leave() had just been called on the emergency stack.
    registers[REG_RSP] = reinterpret_cast<greg_t>(emergency_stack + sizeof emergency_stack - 8);
    registers[REG_RIP] = reinterpret_cast<greg_t>(leave);
}

}  // namespace

Trap::Trap() {
    stack_t current{};
    sigaltstack(nullptr, &current);
    has_signal_stack_ = (current.ss_flags & SS_DISABLE) == 0;
    if (!has_signal_stack_) {
        stack_t stack{};
        stack.ss_sp = signal_stack, stack.ss_size = sizeof signal_stack;
        sigaltstack(&stack, nullptr);
    }
    for (std::size_t i = 0; i < signals.size(); i++) {
        // In this order, as another thread may fault once the handler stands. What the previous handler must not be interrupted by stays blocked for it.
        struct sigaction& previous = previous_actions[i];
        sigaction(signals[i], nullptr, &previous);
        struct sigaction action = {};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        action.sa_mask = previous.sa_mask;
        sigaction(signals[i], &action, nullptr);
    }
}

Trap::~Trap() {
    for (std::size_t i = 0; i < signals.size(); i++)
        sigaction(signals[i], &previous_actions[i], nullptr);
    if (!has_signal_stack_) {
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
    }
}

}  // namespace cudasim
