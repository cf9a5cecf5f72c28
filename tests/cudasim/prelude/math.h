// == mathematics =======================================================================================
// The host's functions under CUDA's names. Their last bits, and those of the approximate intrinsics, are the host's.

#define CUDASIM_MATH_1(name)                                                                                                                         \
    inline float name##f(float x) { return __builtin_##name##f(x); }                                                                                 \
    inline double name(double x) { return __builtin_##name(x); }                                                                                     \
    inline float name(float x) { return __builtin_##name##f(x); }
#define CUDASIM_MATH_2(name)                                                                                                                         \
    inline float name##f(float x, float y) { return __builtin_##name##f(x, y); }                                                                     \
    inline double name(double x, double y) { return __builtin_##name(x, y); }                                                                        \
    inline float name(float x, float y) { return __builtin_##name##f(x, y); }

CUDASIM_MATH_1(sqrt)
CUDASIM_MATH_1(cbrt)
CUDASIM_MATH_1(exp)
CUDASIM_MATH_1(exp2)
CUDASIM_MATH_1(expm1)
CUDASIM_MATH_1(log)
CUDASIM_MATH_1(log2)
CUDASIM_MATH_1(log10)
CUDASIM_MATH_1(log1p)
CUDASIM_MATH_1(sin)
CUDASIM_MATH_1(cos)
CUDASIM_MATH_1(tan)
CUDASIM_MATH_1(tanh)
CUDASIM_MATH_1(erf)
CUDASIM_MATH_1(erfc)
CUDASIM_MATH_1(fabs)
CUDASIM_MATH_1(floor)
CUDASIM_MATH_1(ceil)
CUDASIM_MATH_1(trunc)
CUDASIM_MATH_1(round)
CUDASIM_MATH_1(rint)
CUDASIM_MATH_2(pow)
CUDASIM_MATH_2(fmod)
CUDASIM_MATH_2(fmax)
CUDASIM_MATH_2(fmin)
CUDASIM_MATH_2(copysign)

#undef CUDASIM_MATH_1
#undef CUDASIM_MATH_2

inline float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
inline void sincosf(float x, float* s, float* c) { *s = __builtin_sinf(x), *c = __builtin_cosf(x); }
inline void sincos(double x, double* s, double* c) { *s = __builtin_sin(x), *c = __builtin_cos(x); }
inline float ldexpf(float x, int e) { return __builtin_ldexpf(x, e); }
inline int abs(int x) { return x < 0 ? -x : x; }

inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isinf(double x) { return __builtin_isinf(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }

inline float __expf(float x) { return __builtin_expf(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1.0f / __builtin_sqrtf(x); }
// Products and sums that the compiler must not fuse.
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __dadd_rn(double x, double y) { return x + y; }
inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline int __float2int_rn(float x) { return (int)__builtin_rintf(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __double2float_rn(double x) { return (float)x; }

inline int max(int a, int b) { return a > b ? a : b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline long max(long a, long b) { return a > b ? a : b; }
inline long min(long a, long b) { return a < b ? a : b; }
inline unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }
inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
