// == barriers and exchanges of a block and of a warp ===================================================

inline void __syncthreads(int line = __builtin_LINE()) { cudasim_execution.services->sync_threads(false, line); }
inline int __syncthreads_count(int p, int line = __builtin_LINE()) { return (int)cudasim_execution.services->sync_threads(p != 0, line); }
inline int __syncthreads_or(int p, int line = __builtin_LINE()) { return __syncthreads_count(p, line) != 0; }
inline int __syncthreads_and(int p, int line = __builtin_LINE()) { return __syncthreads_count(p == 0, line) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffff, int line = __builtin_LINE()) { cudasim_execution.services->sync_warp(mask, line); }

inline void __threadfence() { asm volatile("" ::: "memory"); }
inline void __threadfence_block() { asm volatile("" ::: "memory"); }
inline void __threadfence_system() { asm volatile("" ::: "memory"); }

namespace cudasim {

inline unsigned lane() { return cudasim_execution.thread->lane; }

/// One exchange between the lanes of a mask: each publishes a value, then reads those of others. A lane outside the mask, or behind the block's last
/// thread, reads as 0xFF bytes (NaN), because such a value is undefined.
template <class T> class Exchange {
  public:
    Exchange(unsigned mask, const T& value, int line) : mask_(mask), line_(line) {
        static_assert(sizeof(T) <= slot_bytes);
        Thread* self = cudasim_execution.thread;
        slot_ = whole() ? self->exchanges++ & 1 : 2;
        __builtin_memcpy(self->slot[slot_], &value, sizeof(T));
        cudasim_execution.services->sync_warp(mask, line);
    }
    ~Exchange() {
        if (!whole())
            cudasim_execution.services->sync_warp(mask_, line_);
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    bool has(unsigned lane) const { return (mask_ & cudasim_execution.thread->lanes) >> lane & 1; }

    T of(unsigned lane) const {
        T value;
        if (has(lane))
            __builtin_memcpy(&value, cudasim_execution.thread->warp[lane].slot[slot_], sizeof(T));
        else
            __builtin_memset(&value, 0xff, sizeof(T));
        return value;
    }

    /// f over the values of the lanes that are there.
    template <class F> T fold(F f) const {
        unsigned lane = 0;
        while (!has(lane))
            lane++;
        T result = of(lane);
        while (++lane < warp_size)
            if (has(lane))
                result = f(result, of(lane));
        return result;
    }

  private:
    bool whole() const { return mask_ == 0xffffffff; }
    unsigned mask_, slot_;
    int line_;
};

// The types that shuffles exist for.
template <class T> constexpr bool is_shuffled = false;
template <> constexpr bool is_shuffled<int> = true;
template <> constexpr bool is_shuffled<unsigned> = true;
template <> constexpr bool is_shuffled<long> = true;
template <> constexpr bool is_shuffled<unsigned long> = true;
template <> constexpr bool is_shuffled<long long> = true;
template <> constexpr bool is_shuffled<unsigned long long> = true;
template <> constexpr bool is_shuffled<float> = true;
template <> constexpr bool is_shuffled<double> = true;

template <class T> inline T shuffle(unsigned mask, T value, unsigned source, int line) {
    static_assert(is_shuffled<T>, "no shuffle for this type");
    return Exchange<T>(mask, value, line).of(source);
}

inline unsigned segment(int width) { return lane() & ~(unsigned)(width - 1); }

}  // namespace cudasim

template <class T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, int line = __builtin_LINE()) {
    return cudasim::shuffle(mask, value, cudasim::segment(width) | ((unsigned)source & (unsigned)(width - 1)), line);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = cudasim::lane();
    return cudasim::shuffle(mask, value, lane - cudasim::segment(width) < delta ? lane : lane - delta, line);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = cudasim::lane();
    return cudasim::shuffle(mask, value, lane - cudasim::segment(width) + delta >= (unsigned)width ? lane : lane + delta, line);
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = cudasim::lane(), source = lane ^ (unsigned)lanes;
    return cudasim::shuffle(mask, value, source >= cudasim::segment(width) + (unsigned)width ? lane : source, line);
}

inline unsigned __ballot_sync(unsigned mask, int p, int line = __builtin_LINE()) {
    return cudasim::Exchange<unsigned>(mask, p ? 1u << cudasim::lane() : 0u, line).fold([](unsigned a, unsigned b) { return a | b; });
}
inline int __any_sync(unsigned mask, int p, int line = __builtin_LINE()) { return __ballot_sync(mask, p, line) != 0; }
inline int __all_sync(unsigned mask, int p, int line = __builtin_LINE()) { return __ballot_sync(mask, !p, line) == 0; }

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, int line = __builtin_LINE()) {
    return cudasim::Exchange<unsigned>(mask, value, line).fold([](unsigned a, unsigned b) { return a + b; });
}
inline int __reduce_add_sync(unsigned mask, int value, int line = __builtin_LINE()) { return (int)__reduce_add_sync(mask, (unsigned)value, line); }
inline int __reduce_max_sync(unsigned mask, int value, int line = __builtin_LINE()) {
    return cudasim::Exchange<int>(mask, value, line).fold([](int a, int b) { return a > b ? a : b; });
}
inline int __reduce_min_sync(unsigned mask, int value, int line = __builtin_LINE()) {
    return cudasim::Exchange<int>(mask, value, line).fold([](int a, int b) { return a < b ? a : b; });
}
