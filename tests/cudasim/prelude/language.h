// == language ==========================================================================================
// CUDA's keywords, built-in variables and vector types. Shared memory is thread-local: all threads of a block are fibers of one thread of the system.

#define __global__
#define __device__
#define __host__
#define __constant__
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ thread_local
#define __align__(n) __attribute__((aligned(n)))
#define __forceinline__
#define __noinline__ __attribute__((noinline))

extern "C" {
cudasim::Execution cudasim_execution;
int printf(const char* format, ...);
}

#define threadIdx (cudasim_execution.thread->index)
#define blockIdx (cudasim_execution.block_index)
#define blockDim (cudasim_execution.block_dim)
#define gridDim (cudasim_execution.grid_dim)
constexpr int warpSize = cudasim::warp_size;

typedef __SIZE_TYPE__ size_t;
typedef cudasim::Index uint3;
typedef cudasim::Index dim3;

// clang-format off
struct __align__(2) char2 { signed char x, y; };
struct __align__(4) char4 { signed char x, y, z, w; };
struct __align__(2) uchar2 { unsigned char x, y; };
struct __align__(4) uchar4 { unsigned char x, y, z, w; };
struct __align__(4) short2 { short x, y; };
struct __align__(8) short4 { short x, y, z, w; };
struct __align__(4) ushort2 { unsigned short x, y; };
struct __align__(8) ushort4 { unsigned short x, y, z, w; };
struct __align__(8) int2 { int x, y; };
struct int3 { int x, y, z; };
struct __align__(16) int4 { int x, y, z, w; };
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
struct __align__(16) longlong2 { long long x, y; };
struct __align__(16) ulonglong2 { unsigned long long x, y; };
struct __align__(8) float2 { float x, y; };
struct float3 { float x, y, z; };
struct __align__(16) float4 { float x, y, z, w; };
struct __align__(16) double2 { double x, y; };
// clang-format on

inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline ushort2 make_ushort2(unsigned short x, unsigned short y) { return {x, y}; }
inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

// Shared memory's address space is part of the one there is here.
inline size_t __cvta_generic_to_shared(const void* p) { return (size_t)p; }

inline void __trap() { cudasim_execution.services->fault(719, "__trap()", nullptr, 0); }
inline long long clock64() { return (long long)__builtin_ia32_rdtsc(); }
