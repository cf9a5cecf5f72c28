// == atomics, cache hints, bits ========================================================================
// Blocks and threads run one after another on one thread of the system: a plain read and write is atomic.

namespace cudasim {

template <class T, class F> inline T update(T* address, F f) {
    const T old = *address;
    *address = f(old);
    return old;
}

template <class T> constexpr bool is_word = false;
template <> constexpr bool is_word<int> = true;
template <> constexpr bool is_word<unsigned> = true;
template <> constexpr bool is_word<unsigned long long> = true;

}  // namespace cudasim

inline int atomicAdd(int* p, int v) {
    return cudasim::update(p, [=](int old) { return (int)((unsigned)old + (unsigned)v); });
}
inline unsigned atomicAdd(unsigned* p, unsigned v) {
    return cudasim::update(p, [=](unsigned old) { return old + v; });
}
inline unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) {
    return cudasim::update(p, [=](unsigned long long old) { return old + v; });
}
inline float atomicAdd(float* p, float v) {
    return cudasim::update(p, [=](float old) { return old + v; });
}
inline double atomicAdd(double* p, double v) {
    return cudasim::update(p, [=](double old) { return old + v; });
}
inline int atomicSub(int* p, int v) { return atomicAdd(p, -v); }
inline unsigned atomicSub(unsigned* p, unsigned v) { return atomicAdd(p, 0u - v); }
inline unsigned atomicInc(unsigned* p, unsigned limit) {
    return cudasim::update(p, [=](unsigned old) { return old >= limit ? 0u : old + 1; });
}

template <class T> inline T atomicMax(T* p, T v) {
    static_assert(cudasim::is_word<T>, "no atomicMax for this type");
    return cudasim::update(p, [=](T old) { return old > v ? old : v; });
}
template <class T> inline T atomicMin(T* p, T v) {
    static_assert(cudasim::is_word<T>, "no atomicMin for this type");
    return cudasim::update(p, [=](T old) { return old < v ? old : v; });
}
template <class T> inline T atomicAnd(T* p, T v) {
    static_assert(cudasim::is_word<T>, "no atomicAnd for this type");
    return cudasim::update(p, [=](T old) { return old & v; });
}
template <class T> inline T atomicOr(T* p, T v) {
    static_assert(cudasim::is_word<T>, "no atomicOr for this type");
    return cudasim::update(p, [=](T old) { return old | v; });
}
template <class T> inline T atomicExch(T* p, T v) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "no atomicExch for this type");
    return cudasim::update(p, [=](T) { return v; });
}
template <class T> inline T atomicCAS(T* p, T expected, T v) {
    static_assert(cudasim::is_word<T>, "no atomicCAS for this type");
    return cudasim::update(p, [=](T old) { return old == expected ? v : old; });
}

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline void __stcg(T* p, T v) { *p = v; }
template <class T> inline void __stcs(T* p, T v) { *p = v; }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }

inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
