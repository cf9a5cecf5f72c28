// == matrix fragments and asynchronous copies ==========================================================
// What kernels write as inline PTX stands there under #if defined(__CUDA_ARCH__); here are its twins. Fragments are laid out as the PTX manual says,
// with g = lane / 4 and t = lane % 4; a register holds two elements of 16 bits, the lower column (or row) in the lower half.

namespace cudasim {

inline float bf16_value(unsigned bits) { return __builtin_bit_cast(float, bits << 16); }
inline float f16_value(unsigned bits) { return cudasim_execution.services->half_values[bits & 0xffff]; }

/// What a lane gives to d = a b + c: a (16,16) in four registers, b (16,8) in two.
struct Operands {
    unsigned a[4], b[2];
};

template <class Value> inline void mma_m16n8k16(float* d, const unsigned* a, const unsigned* b, const float* c, Value value, int line) {
    Operands mine;
    __builtin_memcpy(mine.a, a, sizeof mine.a);
    __builtin_memcpy(mine.b, b, sizeof mine.b);
    const Exchange<Operands> warp(0xffffffff, mine, line);
    const unsigned g = lane() / 4, t = lane() % 4;
    double sum[4] = {};
    for (unsigned source = 0; source < 4; source++) {
        const Operands row = warp.of(4 * g + source), column[2] = {warp.of(4 * (2 * t) + source), warp.of(4 * (2 * t + 1) + source)};
        for (unsigned half = 0; half < 2; half++)  // k = 8 half + 2 source + low or high
            for (unsigned i = 0; i < 4; i++) {     // row g + 8 (i / 2), column 2 t + i % 2
                const unsigned x = row.a[2 * half + i / 2], y = column[i % 2].b[half];
                sum[i] += (double)value(x & 0xffff) * value(y & 0xffff) + (double)value(x >> 16) * value(y >> 16);
            }
    }
    for (unsigned i = 0; i < 4; i++)
        d[i] = (float)(sum[i] + c[i]);
}

/// n matrices of 8 x 8 elements of 16 bits; lane 8 i + r names row r of matrix i. Each lane gets elements 2t, 2t+1 of row g, or of column g.
template <unsigned n, bool transposed> inline void load_matrices(unsigned* registers, const void* row, int line) {
    if ((size_t)row % 16 != 0 && lane() < 8 * n)
        cudasim_execution.services->fault(716, "ldmatrix: a row is not aligned to 16 bytes", row, line);
    const Exchange<const void*> warp(0xffffffff, row, line);
    const unsigned g = lane() / 4, t = lane() % 4;
    for (unsigned i = 0; i < n; i++) {
        const auto element = [&](unsigned r, unsigned c) -> unsigned { return static_cast<const unsigned short*>(warp.of(8 * i + r))[c]; };
        registers[i] = transposed ? element(2 * t, g) | element(2 * t + 1, g) << 16 : element(g, 2 * t) | element(g, 2 * t + 1) << 16;
    }
}

}  // namespace cudasim

/// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: d = a b + c; d may be c.
inline void mma_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b, const float* c, int line = __builtin_LINE()) {
    cudasim::mma_m16n8k16(d, a, b, c, cudasim::bf16_value, line);
}
/// mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
inline void mma_m16n8k16_f16(float* d, const unsigned* a, const unsigned* b, const float* c, int line = __builtin_LINE()) {
    cudasim::mma_m16n8k16(d, a, b, c, cudasim::f16_value, line);
}

/// ldmatrix.sync.aligned.m8n8.x4.shared.b16, and its forms with .x2 and .trans
inline void ldmatrix_x4(unsigned* registers, const void* row, int line = __builtin_LINE()) { cudasim::load_matrices<4, false>(registers, row, line); }
inline void ldmatrix_x4_trans(unsigned* registers, const void* row, int line = __builtin_LINE()) {
    cudasim::load_matrices<4, true>(registers, row, line);
}
inline void ldmatrix_x2(unsigned* registers, const void* row, int line = __builtin_LINE()) { cudasim::load_matrices<2, false>(registers, row, line); }
inline void ldmatrix_x2_trans(unsigned* registers, const void* row, int line = __builtin_LINE()) {
    cudasim::load_matrices<2, true>(registers, row, line);
}

/// cp.async.cg.shared.global of 16 bytes, of which only the first `copied` are read; the others become zero.
inline void cp_async_16(void* shared, const void* global, unsigned copied = 16, int line = __builtin_LINE()) {
    cudasim_execution.services->copy_async(shared, global, 16, copied, line);
}
inline void cp_async_commit() { cudasim_execution.services->commit_copies(); }
/// cp.async.wait_group: until at most `pending` of this thread's groups are under way.
template <unsigned pending> inline void cp_async_wait() { cudasim_execution.services->wait_copies(pending); }

// Conversions with the hardware's rounding: to nearest, ties to even.
inline float cvt_f32_f16(unsigned short bits) { return cudasim::f16_value(bits); }
inline unsigned short cvt_rn_f16_f32(float x) { return __builtin_bit_cast(unsigned short, (_Float16)x); }
inline float cvt_f32_bf16(unsigned short bits) { return cudasim::bf16_value(bits); }
inline unsigned short cvt_rn_bf16_f32(float x) {
    const unsigned bits = __builtin_bit_cast(unsigned, x);
    return x != x ? 0x7fff : (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
/// Two at once, the first in the lower half.
inline unsigned cvt_rn_f16x2_f32(float low, float high) { return cvt_rn_f16_f32(low) | (unsigned)cvt_rn_f16_f32(high) << 16; }
inline unsigned cvt_rn_bf16x2_f32(float low, float high) { return cvt_rn_bf16_f32(low) | (unsigned)cvt_rn_bf16_f32(high) << 16; }
