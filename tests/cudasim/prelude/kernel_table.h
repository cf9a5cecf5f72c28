// == the table of kernels ==============================================================================

namespace cudasim {

template <class T> constexpr bool is_pointer = false;
template <class T> constexpr bool is_pointer<T*> = true;

template <int... i> struct Sequence {};

template <auto kernel> struct Thunk;

/// Unpacks cuLaunchKernel's array of pointers to values by the kernel's own prototype.
template <class... P, void (*kernel)(P...)> struct Thunk<kernel> {
    static constexpr Parameter parameters[] = {{sizeof(P), is_pointer<P>}..., {}};

    template <int... i> static void unpack([[maybe_unused]] void** arguments, Sequence<i...>) { kernel(*static_cast<P*>(arguments[i])...); }
    static void call(void** arguments) { unpack(arguments, Sequence<__integer_pack(sizeof...(P))...>()); }
    static KernelEntry entry(const char* expression, unsigned max_threads) {
        return {expression, (const void*)kernel, call, parameters, sizeof...(P), max_threads};
    }
};

/// Of __launch_bounds__(threads, blocks).
constexpr unsigned launch_bound(unsigned threads, unsigned = 0) { return threads; }

}  // namespace cudasim
