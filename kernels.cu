// kernels.cu: the ops of src/Kernels/IBackend.cs on a GPU. NVRTC compiles it at run time; it includes nothing.
//
//   0  machine       what needs inline PTX, behind names
//   1  numbers       bf16 and half; real, in which a module stores, and acc, in which it computes
//   2  matrices      packs of 16 bytes, loops over them, sums over warps and blocks
//   3  memory        copy, zero, uniform, transpose, checks
//   4  pointwise     add, add_bias, zero_masked, dropout
//   5  column sums   add_column_sums
//   6  norms         rms_norm, layer_norm
//   7  positions     gather_rows (Embed, KeepRows), embed, rope
//   8  MLP           activate, activate_gated
//   9  loss          softmax, token_log_prob, cross_entropy
//  10  importance    add_saliency, add_squares, gather_columns (KeepColumns)
//  11  optimiser     sum_of_squares, adamw
//  12  covariance    gram
//  13  attention     what all of it shares
//  14                any head size, any type
//  15                tensor cores
//  16                the kernels
//
// Compiled with --std=c++17 --device-as-default-execution-space and one of
//   -DREAL=float|double|bf16|half                               sections 3 to 12
//   -DREAL=float|bf16|half -DHEAD_DIM=n                         attention of heads of n dimensions, 1 to 256
//   -DREAL=bf16|half -DHEAD_DIM=n -DTENSOR_CORES                the same on tensor cores: n a multiple of 16 up to 128, or of 32 up to 256
//
// Operands. A matrix is an address and the elements from one row to the next (y, ldy), at least its columns; a vector is an address. Weights and
// activations are real, which is REAL; gradients of parameters, angles and statistics are acc, which is double for double and float otherwise. Extents
// are positive, arguments have been checked. "or null" is said where it is allowed.
//
// Launches. The line above a kernel says how; shared memory is never dynamic.
//   elements(rows, columns)   blocks of 256 threads, as many as there is work or room for: they stride over packs of 16 bytes
//   rows(rows, columns)       blocks of 32 to 256 threads, a multiple of 32 that follows from the columns, one per row; they stride
//   columns(columns, parts)   blocks of 256 threads, grid (ceil(columns / 128), parts)
//
// Results depend on shapes alone: sums have a fixed order, there are no atomics, and no grid reads what it writes in another place.

// == 0. machine ========================================================================================
// Names for what C++ cannot say. A double of the GPU brings its own functions of these names.

#if defined(__CUDA_ARCH__)
inline float cvt_f32_f16(unsigned short bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}
inline unsigned short cvt_rn_f16_f32(float x) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
inline float cvt_f32_bf16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }
inline unsigned short cvt_rn_bf16_f32(float x) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
inline unsigned cvt_rn_bf16x2_f32(float low, float high) {
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}
inline unsigned cvt_rn_f16x2_f32(float low, float high) {
    unsigned bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}
inline unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
// d = a b + c with a (16,16), b (16,8)
inline void mma_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b, const float* c) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
inline void mma_m16n8k16_f16(float* d, const unsigned* a, const unsigned* b, const float* c) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
// Four matrices of 8 x 8 elements of 16 bits; lane 8 i + r names row r of matrix i.
inline void ldmatrix_x4(unsigned* registers, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(row))
                 : "memory");
}
inline void ldmatrix_x4_trans(unsigned* registers, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// Copies 16 bytes, of which only the first `copied` are read; the others become zero.
inline void cp_async_16(void* shared, const void* global, unsigned copied) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(copied) : "memory");
}
inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most `pending` groups of this thread are under way.
template <unsigned pending> void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
#endif

// == 1. numbers ========================================================================================

// x in binary32, its last bit set wherever bits were lost: rounding that to 16 bits is rounding x once, which rounding to nearest twice is not.
inline float round_to_odd(double x) {
    const float nearest = (float)x;
    if ((double)nearest == x || x != x)
        return nearest;
    const unsigned bits = __float_as_uint(nearest), away = fabs((double)nearest) > fabs(x) ? 1 : 0;
    return __uint_as_float((bits - away) | 1);
}

struct bf16 {
    unsigned short bits;
    bf16() = default;
    explicit bf16(float x) : bits(cvt_rn_bf16_f32(x)) {}
    explicit bf16(double x) : bf16(round_to_odd(x)) {}
    operator float() const { return cvt_f32_bf16(bits); }
};

struct half {
    unsigned short bits;
    half() = default;
    explicit half(float x) : bits(cvt_rn_f16_f32(x)) {}
    explicit half(double x) : half(round_to_odd(x)) {}
    operator float() const { return cvt_f32_f16(bits); }
};

template <class T> struct Arithmetic { typedef float type; };
template <> struct Arithmetic<double> { typedef double type; };
typedef REAL real;
typedef Arithmetic<real>::type acc;

inline acc infinity() { return (acc)__uint_as_float(0x7f800000); }

// The lowest finite number of binary32: a running maximum starts there, because two infinities would make NaN.
constexpr acc lowest = (acc)-3.402823466e+38f;

// == 2. matrices =======================================================================================
// Rows are cut into packs of n elements: 16 bytes of real where every operand is aligned for it, single elements otherwise.

inline constexpr int pack = 16 / sizeof(real);
constexpr int max_threads = 256, max_warps = max_threads / 32;

// n elements of a row, as they are stored or as they are computed with.
template <int n, class T = acc> struct alignas(n * sizeof(T) < 16 ? n * sizeof(T) : 16) Pack { T at[n]; };

// Where a pack starts and how many elements it has: fewer than n at the end of a row.
template <int width> struct Place {
    static constexpr int n = width;
    int row, column, count;
};

template <int width> struct Width { static constexpr int n = width; };

template <int n = pack, class T> bool aligned(const T* x, int ldx = 0) { return ((size_t)x | ldx * sizeof(T)) % alignof(Pack<n, T>) == 0; }

template <class To, int n, class From> Pack<n, To> convert(Pack<n, From> x) {
    Pack<n, To> y;
#pragma unroll
    for (int i = 0; i < n; i++)
        y.at[i] = To(x.at[i]);
    return y;
}

template <int n, class T> Pack<n, T> filled(T value) {
    Pack<n, T> x;
#pragma unroll
    for (int i = 0; i < n; i++)
        x.at[i] = value;
    return x;
}

// Elements as they are stored; `fill` behind the end of the row.
template <int n, class T> Pack<n, T> read(const T* x, int ldx, Place<n> at, T fill) {
    x += (size_t)at.row * ldx + at.column;
    if (at.count == n)
        return *(const Pack<n, T>*)x;
    Pack<n, T> values = filled<n>(fill);
#pragma unroll
    for (int i = 0; i < n; i++)
        if (i < at.count)
            values.at[i] = x[i];
    return values;
}

template <int n, class T> void write(T* y, int ldy, Place<n> at, Pack<n, T> values) {
    y += (size_t)at.row * ldy + at.column;
    if (at.count == n)
        *(Pack<n, T>*)y = values;
    else
#pragma unroll
        for (int i = 0; i < n; i++)
            if (i < at.count)
                y[i] = values.at[i];
}

template <int n, class T> Pack<n> load(const T* x, int ldx, Place<n> at, acc fill = 0) { return convert<acc>(read(x, ldx, at, T(fill))); }

template <int n, class T> void store(T* y, int ldy, Place<n> at, Pack<n> values) { write(y, ldy, at, convert<T>(values)); }

// Of a vector: the elements in the place's columns; `otherwise` where there is no vector.
template <int n, class T> Pack<n> load_vector(const T* x, Place<n> at, acc otherwise) {
    return x == nullptr ? filled<n>(otherwise) : load(x, 0, Place<n>{0, at.column, at.count});
}

// f, element by element.
template <class F, int n, class... More> Pack<n> map(F f, Pack<n> x, More... more) {
#pragma unroll
    for (int i = 0; i < n; i++)
        x.at[i] = f(x.at[i], more.at[i]...);
    return x;
}

template <int n, class T> T sum(Pack<n, T> x) {
    T total = x.at[0];
#pragma unroll
    for (int i = 1; i < n; i++)
        total += x.at[i];
    return total;
}

// body(place) for every pack of a matrix; the threads of the grid take them in turn.
template <int n, class Body> void each_pack(int rows, int columns, Body body) {
    const int packs = (columns + n - 1) / n;
    const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, stride = (long long)gridDim.x * blockDim.x;
    const long long row_stride = stride / packs;
    const int pack_stride = (int)(stride % packs);
    long long row = first / packs;
    int at = (int)(first % packs);
    while (row < rows) {
        body(Place<n>{(int)row, at * n, min(n, columns - at * n)});
        row += row_stride, at += pack_stride;
        if (at >= packs)
            at -= packs, row++;
    }
}

template <class Body> void each(bool whole, int rows, int columns, Body body) {
    if (whole)
        each_pack<pack>(rows, columns, body);
    else
        each_pack<1>(rows, columns, body);
}

// body(width) with the width of the packs; for kernels that go over rows more than once.
template <class Body> void by_width(bool whole, Body body) {
    if (whole)
        body(Width<pack>());
    else
        body(Width<1>());
}

// body(place) for every pack of a row; the threads of the block take them in turn.
template <int n, class Body> void each_in_row(Width<n>, int row, int columns, Body body) {
    for (int column = threadIdx.x * n; column < columns; column += blockDim.x * n)
        body(Place<n>{row, column, min(n, columns - column)});
}

struct Multiply {
    template <class T> T operator()(T a, T b) const { return a * b; }
};
struct Add {
    template <class T> T operator()(T a, T b) const { return a + b; }
};
struct Larger {
    template <class T> T operator()(T a, T b) const { return max(a, b); }
};
struct Smaller {
    template <class T> T operator()(T a, T b) const { return min(a, b); }
};

// f over the values of so many neighbouring lanes of a warp; all get the same bits, because f commutes.
template <class T, class F> T warp_reduce(T x, F f, int lanes = 32) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        x = f(x, __shfl_xor_sync(0xffffffff, x, distance));
    return x;
}

// f over the values of a block's threads, whole warps; every thread gets it.
template <class T, class F> T block_reduce(T x, F f) {
    __shared__ T warps[max_warps];
    x = warp_reduce(x, f);
    __syncthreads();  // what was reduced before has been read
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = x;
    __syncthreads();
    x = warps[0];
    for (int warp = 1; warp < (int)blockDim.x / 32; warp++)
        x = f(x, warps[warp]);
    return x;
}

template <class T> T block_sum(T x) { return block_reduce(x, Add()); }

#ifndef HEAD_DIM

// == 3. memory =========================================================================================

// y = x, rounded once, to nearest even. In the module of y's type, one kernel for each type of x. Nothing happens to elements of one type, so
// that integers may pass for floats of their size.
template <class T> void copy(real* y, int ldy, const T* x, int ldx, int rows, int columns) {
    each(aligned(y, ldy) && aligned(x, ldx), rows, columns, [=](auto at) { write(y, ldy, at, convert<real>(read(x, ldx, at, T(0.0f)))); });
}
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) copy_f64_forward(real* y, int ldy, const double* x, int ldx, int rows, int columns) {
    copy(y, ldy, x, ldx, rows, columns);
}
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) copy_f32_forward(real* y, int ldy, const float* x, int ldx, int rows, int columns) {
    copy(y, ldy, x, ldx, rows, columns);
}
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) copy_f16_forward(real* y, int ldy, const half* x, int ldx, int rows, int columns) {
    copy(y, ldy, x, ldx, rows, columns);
}
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) copy_bf16_forward(real* y, int ldy, const bf16* x, int ldx, int rows, int columns) {
    copy(y, ldy, x, ldx, rows, columns);
}

// y = x; integers that are too large become the largest ones.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) widen_forward(long long* y, int ldy, const int* x, int ldx, int rows, int columns) {
    each_pack<1>(rows, columns, [=](auto at) { write(y, ldy, at, convert<long long>(read(x, ldx, at, 0))); });
}
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) narrow_forward(int* y, int ldy, const long long* x, int ldx, int rows, int columns) {
    each_pack<1>(rows, columns, [=](auto at) {
        const long long value = read(x, ldx, at, 0ll).at[0];
        y[(size_t)at.row * ldy + at.column] = (int)max(-0x80000000ll, min(0x7fffffffll, value));
    });
}

// y = 0
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) zero_forward(real* y, int ldy, int rows, int columns) {
    each(aligned(y, ldy), rows, columns, [=](auto at) { store(y, ldy, at, filled<at.n>(acc(0))); });
}

// splitmix64 (Steele et al. 2014) of a counter.
inline unsigned long long splitmix64(unsigned long long counter) {
    unsigned long long z = (counter + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// y = limit (2 u - 1), u in [0, 1) the upper 53 bits of splitmix64 at start + the number of the element, counted row by row.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) uniform_forward(real* y, int ldy, int rows, int columns, double limit, unsigned long long start) {
    each(aligned(y, ldy), rows, columns, [=](auto at) {
        Pack<at.n> values;
        const unsigned long long first = start + (unsigned long long)at.row * columns + at.column;
#pragma unroll
        for (int i = 0; i < at.n; i++)
            values.at[i] = acc(limit * ((splitmix64(first + i) >> 11) * (2.0 / 9007199254740992.0) - 1));
        store(y, ldy, at, values);
    });
}

// y = x^T, through tiles that are read and written along rows.  (columns,rows) (rows,columns)
// launch: blocks of 256 threads, as many as there are tiles or room: ceil(rows / 32) ceil(columns / 32)
extern "C" __global__ void __launch_bounds__(256) transpose_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns) {
    __shared__ real tile[32][33];
    const int tx = threadIdx.x % 32, ty = threadIdx.x / 32, across = (columns + 31) / 32;
    const long long tiles = (long long)across * ((rows + 31) / 32);
    for (long long t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int row = (int)(t / across) * 32, column = (int)(t % across) * 32;
        __syncthreads();  // the tile before this one has been written
        for (int r = ty; r < 32; r += 8)
            if (row + r < rows && column + tx < columns)
                tile[r][tx] = x[(size_t)(row + r) * ldx + column + tx];
        __syncthreads();
        for (int c = ty; c < 32; c += 8)
            if (column + c < columns && row + tx < rows)
                y[(size_t)(column + c) * ldy + row + tx] = tile[tx][c];
    }
}

// found = 1 where x holds a NaN or an infinity; found is 0 before.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) all_finite_forward(int* found, const real* x, int ldx, int rows, int columns) {
    bool finite = true;
    each(aligned(x, ldx), rows, columns, [&](auto at) {
        finite &= sum(map([](acc v) { return v - v; }, load(x, ldx, at))) == 0;  // NaN of what is not finite
    });
    if (!finite)
        *found = 1;
}

// index = the first i with x[i] outside low .. end - 1, or count.
// launch: 1 block of 256 threads
extern "C" __global__ void __launch_bounds__(256) first_outside_forward(int* index, const int* x, int count, int low, int end) {
    int first = count;
    for (int i = threadIdx.x; i < first; i += blockDim.x)
        if (x[i] < low || x[i] >= end)
            first = i;
    first = block_reduce(first, Smaller());
    if (threadIdx.x == 0)
        *index = first;
}

// index = the first i with x[i] not above x[i - 1], or count.
// launch: 1 block of 256 threads
extern "C" __global__ void __launch_bounds__(256) first_unordered_forward(int* index, const int* x, int count) {
    int first = count;
    for (int i = threadIdx.x + 1; i < first; i += blockDim.x)
        if (x[i] <= x[i - 1])
            first = i;
    first = block_reduce(first, Smaller());
    if (threadIdx.x == 0)
        *index = first;
}

// == 4. pointwise ======================================================================================

// y += x
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) add_update(real* y, int ldy, const real* x, int ldx, int rows, int columns) {
    each(aligned(y, ldy) && aligned(x, ldx), rows, columns, [=](auto at) { store(y, ldy, at, map(Add(), load(y, ldy, at), load(x, ldx, at))); });
}

// y += b in every row
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) add_bias_update(real* y, int ldy, const real* b, int rows, int columns) {
    each(aligned(y, ldy) && aligned(b), rows, columns, [=](auto at) { store(y, ldy, at, map(Add(), load(y, ldy, at), load_vector(b, at, 0))); });
}

// Rows of y whose mask is 0 become 0.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) zero_masked_update(real* y, int ldy, const int* mask, int rows, int columns) {
    each(aligned(y, ldy), rows, columns, [=](auto at) {
        if (mask[at.row] == 0)
            store(y, ldy, at, filled<at.n>(acc(0)));
    });
}

// Philox4x32-10 (Salmon et al. 2011): four words of 32 bits from a counter and a key.
inline uint4 philox(unsigned long long counter, unsigned long long key) {
    unsigned x0 = (unsigned)counter, x1 = (unsigned)(counter >> 32), x2 = 0, x3 = 0, key0 = (unsigned)key, key1 = (unsigned)(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const unsigned long long product0 = 0xD2511F53ull * x0, product1 = 0xCD9E8D57ull * x2;
        x0 = (unsigned)(product1 >> 32) ^ x1 ^ key0, x1 = (unsigned)product1;
        x2 = (unsigned)(product0 >> 32) ^ x3 ^ key1, x3 = (unsigned)product0;
        key0 += 0x9E3779B9, key1 += 0xBB67AE85;
    }
    return make_uint4(x0, x1, x2, x3);
}

// y = scale x where word i of the key's stream is not below `dropped`, and 0 elsewhere; i counts the elements row by row, from those of the rows in
// front of first_row on, and word i is word i % 4 of counter i / 4. y may be x.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    dropout_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns, unsigned dropped, acc scale, unsigned long long key,
                    unsigned long long first_row) {
    each(aligned(y, ldy) && aligned(x, ldx), rows, columns, [=](auto at) {
        constexpr int n = at.n, draws = (n + 6) / 4;  // a pack may start at the last word of a counter
        const unsigned long long first = (first_row + at.row) * columns + at.column;
        const int skipped = (int)(first % 4);
        unsigned words[4 * draws];
#pragma unroll
        for (int d = 0; d < draws; d++) {
            const uint4 drawn = 4 * d < skipped + n ? philox(first / 4 + d, key) : uint4{};
            words[4 * d] = drawn.x, words[4 * d + 1] = drawn.y, words[4 * d + 2] = drawn.z, words[4 * d + 3] = drawn.w;
        }
        Pack<n> values = load(x, ldx, at);
#pragma unroll
        for (int i = 0; i < n; i++) {
            const unsigned word = skipped == 0 ? words[i] : skipped == 1 ? words[i + 1] : skipped == 2 ? words[i + 2] : words[i + 3];
            values.at[i] = word < dropped ? 0 : values.at[i] * scale;
        }
        store(y, ldy, at, values);
    });
}

// == 5. column sums ====================================================================================
// In two steps, so that rows are summed by many blocks: parts[p] (columns) are the sums of the rows of part p, then the parts are added in order.

// The sums of a tile of columns by each warp.
inline double* column_scratch(int warp) {
    __shared__ double sums[max_warps][32 * pack];
    return sums[warp];
}

template <int n, class Value> void column_parts(Width<n>, double* parts, int rows, int columns, Value value) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, part_rows = (rows + gridDim.y - 1) / gridDim.y;
    const int first = blockIdx.y * part_rows, end = min(rows, first + part_rows);
    for (int tile = blockIdx.x * 32 * n; tile < columns; tile += gridDim.x * 32 * n) {
        const int column = tile + lane * n;
        Pack<n, double> total = filled<n>(0.0);
        if (column < columns)
#pragma unroll 2
            for (int row = first + warp; row < end; row += max_warps) {
                const auto values = value(Place<n>{row, column, min(n, columns - column)});
#pragma unroll
                for (int i = 0; i < n; i++)
                    total.at[i] += values.at[i];
            }
        __syncthreads();  // the tile before this one has been read
#pragma unroll
        for (int i = 0; i < n; i++)
            column_scratch(warp)[lane * n + i] = total.at[i];
        __syncthreads();
        for (int c = threadIdx.x; c < min(32 * n, columns - tile); c += max_threads) {
            double of_warps = column_scratch(0)[c];
            for (int w = 1; w < max_warps; w++)
                of_warps += column_scratch(w)[c];
            parts[(size_t)blockIdx.y * columns + tile + c] = of_warps;
        }
    }
}

inline double sum_parts(const double* parts, int count, int columns, int column) {
    double total = parts[column];
    for (int p = 1; p < count; p++)
        total += parts[(size_t)p * columns + column];
    return total;
}

// parts = sums of x.  AddColumnSums, and the gradient of a norm's bias
// launch: columns(columns, parts)
extern "C" __global__ void __launch_bounds__(256) column_sums_forward(double* parts, const real* x, int ldx, int rows, int columns) {
    by_width(aligned(x, ldx), [=](auto width) { column_parts(width, parts, rows, columns, [=](auto at) { return load(x, ldx, at); }); });
}

// b += the sum of count parts
// launch: elements(1, columns)
extern "C" __global__ void __launch_bounds__(256) add_parts_update(acc* b, const double* parts, int count, int columns) {
    each_pack<1>(1, columns, [=](auto at) { b[at.column] = (acc)(b[at.column] + sum_parts(parts, count, columns, at.column)); });
}

// == 6. norms ==========================================================================================
// y = (x - mean) scale gain + bias with scale = 1 / sqrt(sum((x - mean)^2) / width + eps); the mean of an RMSNorm is 0.

struct Moments {
    acc mean, scale;
};

template <bool centred, int n> Moments moments_of_row(Width<n> packs, const real* x, int ldx, int row, int columns, acc width, acc eps) {
    acc mean = 0, squares = 0;
    if (centred) {
        each_in_row(packs, row, columns, [&](auto at) { mean += sum(load(x, ldx, at)); });
        mean = block_sum(mean) / width;
    }
    each_in_row(packs, row, columns, [&](auto at) { squares += sum(map([=](acc v) { return (v - mean) * (v - mean); }, load(x, ldx, at, mean))); });
    return {mean, 1 / sqrt(block_sum(squares) / width + eps)};
}

template <bool centred>
void norm_forward(real* y, int ldy, const real* x, int ldx, const real* gain, const real* bias, int rows, int columns, acc width, acc eps) {
    by_width(aligned(y, ldy) && aligned(x, ldx) && aligned(gain) && aligned(bias), [=](auto packs) {
        for (int row = blockIdx.x; row < rows; row += gridDim.x) {
            const Moments m = moments_of_row<centred>(packs, x, ldx, row, columns, width, eps);
            each_in_row(packs, row, columns, [&](auto at) {
                const auto normalise = [=](acc v, acc g, acc b) { return (v - m.mean) * m.scale * g + b; };
                store(y, ldy, at, map(normalise, load(x, ldx, at), load_vector(gain, at, 1), load_vector(bias, at, 0)));
            });
        }
    });
}

// gain or null
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    rms_norm_forward(real* y, int ldy, const real* x, int ldx, const real* gain, int rows, int columns, acc width, acc eps) {
    norm_forward<false>(y, ldy, x, ldx, gain, nullptr, rows, columns, width, eps);
}

// gain or null, bias or null
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    layer_norm_forward(real* y, int ldy, const real* x, int ldx, const real* gain, const real* bias, int rows, int columns, acc eps) {
    norm_forward<true>(y, ldy, x, ldx, gain, bias, rows, columns, columns, eps);
}

// With c = x - mean and u = dy gain: dx += scale (u - mean(u) - c scale^2 sum(u c) / width), in an RMSNorm without mean(u).
template <bool centred>
void norm_backward(real* dx, int lddx, acc* moments, const real* dy, int lddy, const real* x, int ldx, const real* gain, int rows, int columns,
                   acc width, acc eps) {
    by_width(aligned(dx, lddx) && aligned(dy, lddy) && aligned(x, ldx) && aligned(gain), [=](auto packs) {
        for (int row = blockIdx.x; row < rows; row += gridDim.x) {
            const Moments m = moments_of_row<centred>(packs, x, ldx, row, columns, width, eps);
            const auto u = [=](auto at) { return map(Multiply(), load(dy, lddy, at), load_vector(gain, at, 1)); };
            acc total = 0, moment = 0;
            each_in_row(packs, row, columns, [&](auto at) {
                total += sum(u(at));
                moment += sum(map([=](acc v, acc w) { return w * (v - m.mean); }, load(x, ldx, at), u(at)));
            });
            const acc mean = centred ? block_sum(total) / width : 0, slope = -m.scale * m.scale * block_sum(moment) / width;
            each_in_row(packs, row, columns, [&](auto at) {
                const auto add = [=](acc d, acc v, acc w) { return d + m.scale * (w - mean + slope * (v - m.mean)); };
                store(dx, lddx, at, map(add, load(dx, lddx, at), load(x, ldx, at), u(at)));
            });
            if (moments != nullptr && threadIdx.x == 0)
                ((Moments*)moments)[row] = m;
        }
    });
}

// moments (rows, 2) or null: mean and scale of each row, for norm_gain_backward; gain or null
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256) rms_norm_backward(real* dx, int lddx, acc* moments, const real* dy, int lddy, const real* x,
                                                                    int ldx, const real* gain, int rows, int columns, acc width, acc eps) {
    norm_backward<false>(dx, lddx, moments, dy, lddy, x, ldx, gain, rows, columns, width, eps);
}

// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256) layer_norm_backward(real* dx, int lddx, acc* moments, const real* dy, int lddy, const real* x,
                                                                      int ldx, const real* gain, int rows, int columns, acc eps) {
    norm_backward<true>(dx, lddx, moments, dy, lddy, x, ldx, gain, rows, columns, columns, eps);
}

// parts = sums of dy (x - mean) scale: the gradient of the gain. That of the bias is column_sums_forward of dy.
// launch: columns(columns, parts)
extern "C" __global__ void __launch_bounds__(256)
    norm_gain_backward(double* parts, const real* dy, int lddy, const real* x, int ldx, const acc* moments, int rows, int columns) {
    by_width(aligned(dy, lddy) && aligned(x, ldx), [=](auto packs) {
        column_parts(packs, parts, rows, columns, [=](auto at) {
            const Moments m = ((const Moments*)moments)[at.row];
            return map([=](acc d, acc v) { return d * ((v - m.mean) * m.scale); }, load(dy, lddy, at), load(x, ldx, at));
        });
    });
}

// == 7. positions ======================================================================================

// y[n] = x[indices[n]], moved as they are.  Embed; KeepRows into a buffer, from which copy takes them back
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    gather_rows_forward(real* y, int ldy, const real* x, int ldx, const int* indices, int rows, int columns) {
    each(aligned(y, ldy) && aligned(x, ldx), rows, columns, [=](auto at) {
        auto from = at;
        from.row = indices[at.row];
        write(y, ldy, at, read(x, ldx, from, real(0.0f)));
    });
}

// The same from a table whose type is narrower than y's. In the module of the table's type.
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) embed_forward(acc* y, int ldy, const real* table, int ldt, const int* ids, int rows, int columns) {
    each(aligned(y, ldy) && aligned(table, ldt), rows, columns, [=](auto at) {
        auto from = at;
        from.row = ids[at.row];
        store(y, ldy, at, load(table, ldt, from));
    });
}

// dtable[ids[n]] += dy[n], in the order of n: the block of an id's first position adds the rows of all its positions.
// launch: blocks of 256 threads, grid (rows, ceil(columns / 1024))
extern "C" __global__ void __launch_bounds__(256)
    embed_backward(acc* dtable, int ldt, const real* dy, int lddy, const int* ids, int rows, int columns) {
    __shared__ unsigned same[max_warps];  // which of 256 positions have this id
    const int id = ids[blockIdx.x];
    for (int from = 0; from < blockIdx.x; from += max_threads)
        if (__syncthreads_or(from + threadIdx.x < blockIdx.x && ids[from + threadIdx.x] == id))
            return;
    by_width(aligned(dtable, ldt) && aligned(dy, lddy), [=](auto packs) {
        constexpr int n = packs.n;
        for (int tile = blockIdx.y * max_threads * n; tile < columns; tile += gridDim.y * max_threads * n) {
            const int column = tile + threadIdx.x * n;
            Place<n> at = {id, column, max(0, min(n, columns - column))};
            Pack<n> total = load(dtable, ldt, at);
            for (int from = blockIdx.x / max_threads * max_threads; from < rows; from += max_threads) {
                const int position = from + threadIdx.x;
                const unsigned found = __ballot_sync(0xffffffff, position >= blockIdx.x && position < rows && ids[position] == id);
                __syncthreads();  // those of the positions before have been read
                same[threadIdx.x / 32] = found;
                __syncthreads();
                for (int warp = 0; warp < max_warps; warp++)
                    for (unsigned left = same[warp]; left != 0; left &= left - 1) {
                        at.row = from + 32 * warp + __ffs(left) - 1;
                        total = map(Add(), total, load(dy, lddy, at));
                    }
            }
            at.row = id;
            store(dtable, ldt, at, total);
        }
    });
}

// Rotates the pairs (x_i, x_{i+half}) of every head by the angle of table row positions[n], or back where direction is -1 instead of 1.
// launch: elements(rows heads, half)
extern "C" __global__ void __launch_bounds__(256) rope_update(real* x, int ldx, const acc* cos, int ldc, const acc* sin, int lds,
                                                              const int* positions, int rows, int heads, int head_dim, int half, acc direction) {
    const bool whole = head_dim % pack == 0 && half % pack == 0 && aligned(x, ldx) && aligned(cos, ldc) && aligned(sin, lds);
    each(whole, rows * heads, half, [=](auto at) {
        auto first = at, second = at, angle = at;
        first.row = second.row = at.row / heads;
        first.column += at.row % heads * head_dim;
        second.column = first.column + half;
        angle.row = positions[first.row];
        const auto a = load(x, ldx, first), b = load(x, ldx, second), c = load(cos, ldc, angle), s = load(sin, lds, angle);
        store(x, ldx, first, map([=](acc u, acc v, acc p, acc q) { return u * p - v * (direction * q); }, a, b, c, s));
        store(x, ldx, second, map([=](acc u, acc v, acc p, acc q) { return v * p + u * (direction * q); }, a, b, c, s));
    });
}

// == 8. MLP ============================================================================================
// An activation f has its value, and value and slope together.

struct Slope {
    acc value, slope;
};

// s(x) = 1 / (1 + exp(-x)) and s' = s (1 - s), from exp(-|x|): nothing overflows, and 1 - s does not cancel.
inline Slope sigmoid(acc x) {
    const acc e = exp(-fabs(x)), larger = 1 / (1 + e), smaller = e * larger;
    return {x < 0 ? smaller : larger, smaller * larger};
}

// max(x, 0); the slope at 0 is 0
struct Relu {
    static acc value(acc x) { return x < 0 ? 0 : x; }
    static Slope slope(acc x) { return {value(x), acc(x > 0)}; }
};

// x sigmoid(x)
struct Silu {
    static acc value(acc x) { return x / (1 + exp(-x)); }
    static Slope slope(acc x) {
        const Slope s = sigmoid(x);
        return {x * s.value, s.value + x * s.slope};
    }
};

// x Phi(x)
struct Gelu {
    static acc cumulative(acc x) { return acc(0.5) * (1 + erf(x * acc(0.70710678118654752440))); }
    static acc value(acc x) { return x * cumulative(x); }
    static Slope slope(acc x) {
        const acc below = cumulative(x);
        return {x * below, below + x * acc(0.39894228040143267794) * exp(acc(-0.5) * x * x)};
    }
};

// 0.5 x (1 + tanh u) = x sigmoid(2 u) with u = sqrt(2/pi) (x + 0.044715 x^3)
struct GeluTanh {
    static constexpr acc linear = acc(2 * 0.79788456080286535588), cubic = acc(2 * 0.79788456080286535588 * 0.044715);
    static acc value(acc x) { return x / (1 + exp(-x * (linear + cubic * x * x))); }
    static Slope slope(acc x) {
        const Slope s = sigmoid(x * (linear + cubic * x * x));
        return {x * s.value, s.value + x * s.slope * (linear + 3 * cubic * x * x)};
    }
};

// body(f) with a value of IBackend's enum Activation.
template <class Body> void by_activation(int activation, Body body) {
    switch (activation) {
    case 0:
        return body(Relu());
    case 1:
        return body(Silu());
    case 2:
        return body(Gelu());
    default:
        return body(GeluTanh());
    }
}

// y = f(x); y may be x
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) activate_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns, int activation) {
    by_activation(activation, [=](auto f) {
        each(aligned(y, ldy) && aligned(x, ldx), rows, columns,
             [=](auto at) { store(y, ldy, at, map([=](acc v) { return f.value(v); }, load(x, ldx, at))); });
    });
}

// y = f(gate) up; y may be either
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    activate_gated_forward(real* y, int ldy, const real* gate, int ldg, const real* up, int ldu, int rows, int columns, int activation) {
    by_activation(activation, [=](auto f) {
        each(aligned(y, ldy) && aligned(gate, ldg) && aligned(up, ldu), rows, columns,
             [=](auto at) { store(y, ldy, at, map([=](acc v, acc u) { return f.value(v) * u; }, load(gate, ldg, at), load(up, ldu, at))); });
    });
}

// dx = dy f'(x); dx may be dy
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    activate_backward(real* dx, int lddx, const real* dy, int lddy, const real* x, int ldx, int rows, int columns, int activation) {
    by_activation(activation, [=](auto f) {
        each(aligned(dx, lddx) && aligned(dy, lddy) && aligned(x, ldx), rows, columns,
             [=](auto at) { store(dx, lddx, at, map([=](acc d, acc v) { return f.slope(v).slope * d; }, load(dy, lddy, at), load(x, ldx, at))); });
    });
}

// dgate = dy up f'(gate), dup = dy f(gate); dgate may be gate, and dup may be up
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    activate_gated_backward(real* dgate, int lddg, real* dup, int lddu, const real* dy, int lddy, const real* gate, int ldg, const real* up, int ldu,
                            int rows, int columns, int activation) {
    const bool whole = aligned(dgate, lddg) && aligned(dup, lddu) && aligned(dy, lddy) && aligned(gate, ldg) && aligned(up, ldu);
    by_activation(activation, [=](auto f) {
        each(whole, rows, columns, [=](auto at) {
            const auto d = load(dy, lddy, at);
            auto g = load(gate, ldg, at), u = load(up, ldu, at);
#pragma unroll
            for (int i = 0; i < at.n; i++) {
                const Slope s = f.slope(g.at[i]);
                g.at[i] = d.at[i] * u.at[i] * s.slope, u.at[i] = d.at[i] * s.value;
            }
            store(dgate, lddg, at, g);
            store(dup, lddu, at, u);
        });
    });
}

// == 9. loss ===========================================================================================

// The largest element of a row, and the sum of exp(x - largest): one pass over memory.
struct LogSum {
    acc largest;
    double sum;
};
template <int n> LogSum log_sum(Width<n> packs, const real* x, int ldx, int row, int columns) {
    acc largest = lowest;
    double total = 0;
    each_in_row(packs, row, columns, [&](auto at) {
        const Pack<n> values = load(x, ldx, at, -infinity());
        acc larger = largest;
#pragma unroll
        for (int i = 0; i < n; i++)
            larger = max(larger, values.at[i]);
        if (larger > largest)
            total *= exp(largest - larger), largest = larger;
        total += sum(map([=](acc v) { return exp(v - largest); }, values));
    });
    const acc of_row = block_reduce(largest, Larger());
    return {of_row, block_sum(total * exp(largest - of_row))};
}

// y = exp(x - largest) / sum; y may be x
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256) softmax_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns) {
    by_width(aligned(y, ldy) && aligned(x, ldx), [=](auto packs) {
        for (int row = blockIdx.x; row < rows; row += gridDim.x) {
            const LogSum s = log_sum(packs, x, ldx, row, columns);
            const acc factor = (acc)(1 / s.sum);
            each_in_row(packs, row, columns,
                        [&](auto at) { store(y, ldy, at, map([=](acc v) { return exp(v - s.largest) * factor; }, load(x, ldx, at))); });
        }
    });
}

// y[n] = log softmax(x[n])[targets[n]]; 0 where the target is negative
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    token_log_prob_forward(double* y, const real* x, int ldx, const int* targets, int rows, int columns) {
    by_width(aligned(x, ldx), [=](auto packs) {
        for (int row = blockIdx.x; row < rows; row += gridDim.x) {
            const int target = targets[row];
            const LogSum s = log_sum(packs, x, ldx, row, columns);
            if (threadIdx.x == 0)
                y[row] = target < 0 ? 0 : (double)(acc)x[(size_t)row * ldx + target] - s.largest - log(s.sum);
        }
    });
}

// loss[n] = -log softmax(x[n])[targets[n]], and x = factor (softmax(x) - onehot(targets)); 0 for both where the target is negative
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    cross_entropy_backward(double* loss, real* x, int ldx, const int* targets, int rows, int columns, double factor) {
    by_width(aligned(x, ldx), [=](auto packs) {
        for (int row = blockIdx.x; row < rows; row += gridDim.x) {
            const int target = targets[row];
            const double logit = target < 0 ? 0 : (double)(acc)x[(size_t)row * ldx + target];
            const LogSum s = log_sum(packs, x, ldx, row, columns);  // and all have read the logit
            const double of_row = target < 0 ? 0 : log(s.sum) - (logit - s.largest);
            const acc scale = target < 0 ? 0 : (acc)(factor / s.sum);
            const acc of_target = (acc)(factor * (exp(-of_row) - 1));  // in double, because a probability near 1 cancels
            each_in_row(packs, row, columns, [&](auto at) {
                auto gradient = target < 0 ? filled<at.n>(acc(0)) : map([=](acc v) { return exp(v - s.largest) * scale; }, load(x, ldx, at));
#pragma unroll
                for (int i = 0; i < at.n; i++)
                    if (at.column + i == target)
                        gradient.at[i] = of_target;
                store(x, ldx, at, gradient);
            });
            if (threadIdx.x == 0)
                loss[row] = of_row;
        }
    });
}

// == 10. importance ====================================================================================
// What one element w with gradient g and squared gradient h counts for, in double.

struct Magnitude {
    static constexpr bool uses_g = false, uses_h = false;
    static double of(double w, double, double) { return fabs(w); }
};
struct Square {
    static constexpr bool uses_g = false, uses_h = false;
    static double of(double w, double, double) { return w * w; }
};
struct FirstOrder {
    static constexpr bool uses_g = true, uses_h = false;
    static double of(double w, double g, double) { return fabs(w * g); }
};
struct Signed {
    static constexpr bool uses_g = true, uses_h = false;
    static double of(double w, double g, double) { return w * g; }
};
struct SecondOrder {
    static constexpr bool uses_g = false, uses_h = true;
    static double of(double w, double, double h) { return fabs(w * w * h); }
};
struct Mixed {
    static constexpr bool uses_g = true, uses_h = true;
    static double of(double w, double g, double h) { return fabs(w * (g - 0.5 * w * h)); }
};

// body(f) with a value of IBackend's enum Saliency.
template <class Body> void by_saliency(int saliency, Body body) {
    switch (saliency) {
    case 0:
        return body(Magnitude());
    case 1:
        return body(Square());
    case 2:
        return body(FirstOrder());
    case 3:
        return body(Signed());
    case 4:
        return body(SecondOrder());
    default:
        return body(Mixed());
    }
}

// The saliency of a weight that is stored as real, with gradients in acc.
template <class F> struct Salient {
    const real* w;
    int ldw;
    const acc* g;
    int ldg;
    const acc* h;
    int ldh;

    bool whole() const { return aligned(w, ldw) && (!F::uses_g || aligned(g, ldg)) && (!F::uses_h || aligned(h, ldh)); }
    template <int n> Pack<n, double> operator()(Place<n> at) const {
        const Pack<n> weight = load(w, ldw, at), gradient = F::uses_g ? load(g, ldg, at) : weight, square = F::uses_h ? load(h, ldh, at) : weight;
        Pack<n, double> counts;
#pragma unroll
        for (int i = 0; i < n; i++)
            counts.at[i] = F::of(weight.at[i], gradient.at[i], square.at[i]);
        return counts;
    }
};

// scores[i] += |the sum of the saliency over row i|; only the signed one has sums that are negative. g or null, h or null
// launch: rows(rows, columns)
extern "C" __global__ void __launch_bounds__(256) add_row_saliency_update(double* scores, const real* w, int ldw, const acc* g, int ldg, const acc* h,
                                                                          int ldh, int rows, int columns, int saliency) {
    by_saliency(saliency, [=](auto f) {
        const Salient<decltype(f)> salient = {w, ldw, g, ldg, h, ldh};
        by_width(salient.whole(), [=](auto packs) {
            for (int row = blockIdx.x; row < rows; row += gridDim.x) {
                double total = 0;
                each_in_row(packs, row, columns, [&](auto at) { total += sum(salient(at)); });
                total = block_sum(total);
                if (threadIdx.x == 0)
                    scores[row] += fabs(total);
            }
        });
    });
}

// parts = sums of the saliency
// launch: columns(columns, parts)
extern "C" __global__ void __launch_bounds__(256) column_saliency_forward(double* parts, const real* w, int ldw, const acc* g, int ldg, const acc* h,
                                                                          int ldh, int rows, int columns, int saliency) {
    by_saliency(saliency, [=](auto f) {
        const Salient<decltype(f)> salient = {w, ldw, g, ldg, h, ldh};
        by_width(salient.whole(), [=](auto packs) { column_parts(packs, parts, rows, columns, salient); });
    });
}

// scores += |the sum of count parts|
// launch: elements(1, columns)
extern "C" __global__ void __launch_bounds__(256) add_column_saliency_update(double* scores, const double* parts, int count, int columns) {
    each_pack<1>(1, columns, [=](auto at) { scores[at.column] += fabs(sum_parts(parts, count, columns, at.column)); });
}

// y += scale x^2
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256) add_squares_update(acc* y, int ldy, const real* x, int ldx, int rows, int columns, acc scale) {
    each(aligned(y, ldy) && aligned(x, ldx), rows, columns,
         [=](auto at) { store(y, ldy, at, map([=](acc a, acc b) { return a + scale * b * b; }, load(y, ldy, at), load(x, ldx, at))); });
}

// y[:, i] = x[:, indices[i]], moved as they are.  KeepColumns into a buffer, from which copy takes them back
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    gather_columns_forward(real* y, int ldy, const real* x, int ldx, const int* indices, int rows, int columns) {
    each_pack<1>(rows, columns, [=](auto at) { y[(size_t)at.row * ldy + at.column] = x[(size_t)at.row * ldx + indices[at.column]]; });
}

// == 11. optimiser =====================================================================================

// parts[b] = the sum of squares that block b takes; sum_forward adds them. The grid must follow from the shape alone.
// launch: blocks of 256 threads, grid min(1024, ceil(rows ceil(columns / pack) / 1024)) of pack = 16 bytes
extern "C" __global__ void __launch_bounds__(256) sum_of_squares_forward(double* parts, const real* x, int ldx, int rows, int columns) {
    double total = 0;
    each(aligned(x, ldx), rows, columns, [&](auto at) {
        const auto values = convert<double>(load(x, ldx, at));
#pragma unroll
        for (int i = 0; i < at.n; i++)
            total += values.at[i] * values.at[i];
    });
    total = block_sum(total);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = total;
}

// y = the sum of count parts
// launch: 1 block of 256 threads
extern "C" __global__ void __launch_bounds__(256) sum_forward(double* y, const double* parts, int count) {
    double total = 0;
    for (int i = threadIdx.x; i < count; i += max_threads)
        total += parts[i];
    total = block_sum(total);
    if (threadIdx.x == 0)
        *y = total;
}

// g' = gradient_scale g, m += weight1 (g' - m), v = decay2 v + weight2 g'^2, w = shrink w - rate m / (sqrt(v) correction2 + eps)
// weight1 = 1 - beta1, decay2 = beta2, weight2 = 1 - beta2, shrink = 1 - learning rate * weight decay,
// rate = learning rate / (1 - beta1^step), correction2 = 1 / sqrt(1 - beta2^step)
// launch: elements(rows, columns)
extern "C" __global__ void __launch_bounds__(256)
    adamw_update(real* w, int ldw, const real* g, int ldg, real* m, int ldm, real* v, int ldv, int rows, int columns, acc gradient_scale, acc weight1,
                 acc decay2, acc weight2, acc shrink, acc rate, acc correction2, acc eps) {
    each(aligned(w, ldw) && aligned(g, ldg) && aligned(m, ldm) && aligned(v, ldv), rows, columns, [=](auto at) {
        const auto gradient = map([=](acc a) { return a * gradient_scale; }, load(g, ldg, at));
        const auto mean = map([=](acc a, acc b) { return a + (b - a) * weight1; }, load(m, ldm, at), gradient);
        const auto square = map([=](acc a, acc b) { return a * decay2 + b * b * weight2; }, load(v, ldv, at), gradient);
        const auto step = [=](acc a, acc b, acc c) { return a * shrink - b * rate / (sqrt(c) * correction2 + eps); };
        store(w, ldw, at, map(step, load(w, ldw, at), mean, square));
        store(m, ldm, at, mean);
        store(v, ldv, at, square);
    });
}

// == 12. covariance ====================================================================================

// h += c, whose lower triangle counts for both; h stays exactly symmetric.  (n,n) (n,n)
// launch: blocks of 256 threads, as many as there are tiles or room: ceil(n / 32)^2
extern "C" __global__ void __launch_bounds__(256) gram_update(double* h, int ldh, const acc* c, int ldc, int n) {
    __shared__ double sums[32][33];
    const int tx = threadIdx.x % 32, ty = threadIdx.x / 32, tiles = (n + 31) / 32;
    for (int t = blockIdx.x; t < tiles * tiles; t += gridDim.x) {
        const int row = t / tiles * 32, column = t % tiles * 32;
        if (column > row)
            continue;
        __syncthreads();  // the tile before this one has been written
        for (int r = ty; r < 32; r += 8)
            if (row + r < n && column + tx <= row + r) {
                double* to = h + (size_t)(row + r) * ldh + column + tx;
                *to = sums[r][tx] = *to + c[(size_t)(row + r) * ldc + column + tx];
            }
        __syncthreads();
        for (int r = ty; r < 32; r += 8)
            if (row + tx < n && column + r < row + tx)
                h[(size_t)(column + r) * ldh + row + tx] = sums[tx][r];
    }
}

#else

// == 13. attention =====================================================================================
// Causal, of heads of HEAD_DIM dimensions. A block works on a tile of its own rows, queries or, for the gradient of k and v, keys, and takes the rows
// of the other side tile by tile.
//
//   q, y, dq, dy        (batch, queries) rows of `heads` heads; query i sits at position keys - queries + i
//   k, v, dk, dv        (batch, capacity) rows of `kv_heads` heads, the first `keys` in use; head h reads kv head h / (heads / kv_heads)
//   log_sum_exp, delta  (batch, heads) rows of queries
//   mask or null        (batch) rows of keys; 0 hides a key
//   first or null       (batch) rows of queries: the first key that a query sees

static_assert(sizeof(acc) == 4, "attention computes in binary32");

#ifdef TENSOR_CORES
constexpr int head_parts = HEAD_DIM > 128 ? 2 : 1;  // of a head's dimensions, each summed by warps of its own
#else
constexpr int head_parts = 1;
#endif
constexpr int tile = 64 / head_parts;  // rows of a block

// The rows of one head in one sequence.
template <class T> struct Side {
    T* x;
    int ldx;

    Side(T* x, int ldx) : x(x), ldx(ldx) {}
    Side(T* matrix, int ldx, int batch, int length, int head) : x(matrix + (size_t)batch * length * ldx + head * HEAD_DIM), ldx(ldx) {}
    T* row(int n) const { return x + (size_t)n * ldx; }
};

// Up to `tile` of them. Rows behind the last and hidden ones read as zeros.
struct Tile {
    const real* x;
    int ldx, count;
    const int* mask;

    bool has(int row) const { return row < count && (mask == nullptr || mask[row] != 0); }
    // Four dimensions from d on, a multiple of 4.
    Pack<4> at(int row, int d) const {
        if (!has(row) || d >= HEAD_DIM)
            return filled<4>(acc(0));
        const real* from = x + (size_t)row * ldx + d;
        if (HEAD_DIM % 4 == 0 && aligned<4>(x, ldx))
            return convert<acc>(*(const Pack<4, real>*)from);
        Pack<4> values;
#pragma unroll
        for (int i = 0; i < 4; i++)
            values.at[i] = d + i < HEAD_DIM ? (acc)from[i] : acc(0);
        return values;
    }
};

// Which keys the queries of a sequence see.
struct View {
    const int *mask, *first;
    int queries, begin, keys;  // of the keys those from begin on
    int advance;               // 1 where the queries are the last positions, 0 where they are heads at the last one

    View(const int* mask, int ldm, const int* first, int ldf, int queries, int keys, int batch, int begin = 0, int advance = 1)
        : mask(mask == nullptr ? nullptr : mask + (size_t)batch * ldm), first(first == nullptr ? nullptr : first + (size_t)batch * ldf),
          queries(queries), begin(begin), keys(keys), advance(advance) {}

    int first_key(int query) const { return first == nullptr || query >= queries ? begin : first[advance * query]; }
    int last_key(int query) const { return keys - 1 - advance * (queries - 1 - query); }
    bool sees(int query, int first_key, int key) const {
        return query < queries && key >= first_key && key <= last_key(query) && (mask == nullptr || mask[key] != 0);
    }

    // Where the keys that a tile of queries sees begin, rounded down to whole tiles, and end. A whole warp asks.
    int first_tile(int from) const {
        int least = keys;
        for (int query = from + threadIdx.x % 32; query < min(from + tile, queries); query += 32)
            least = min(least, first_key(query));
        return max(begin, warp_reduce(least, Smaller()) / tile * tile);
    }
    int end_key(int from) const { return last_key(min(from + tile, queries) - 1) + 1; }

    // Whether any of `count` queries sees something of a tile of keys before them. The whole block asks.
    bool meets(int query, int count, int key) const {
        return first == nullptr || __syncthreads_or(threadIdx.x < count && query + threadIdx.x < queries && first[query + threadIdx.x] < key + tile);
    }

    Tile query_tile(Side<const real> side, int from) const { return {side.row(from), side.ldx, min(tile, queries - from), nullptr}; }
    Tile key_tile(Side<const real> side, int from) const {
        return {side.row(from), side.ldx, min(tile, keys - from), mask == nullptr ? nullptr : mask + from};
    }
};

struct Forward {
    View view;
    acc scale;
    Side<real> y;
    acc* log_sum_exp;  // of the head, or null
    Side<const real> q, k, v;
};

// The gradient of one head, with p = exp(scale q k^T - log_sum_exp) and ds = p (dy v^T - delta), where delta = sum(dy y):
// dv = p^T dy, dk = scale ds^T q, dq = scale ds k.
struct Backward {
    View view;
    acc scale;
    Side<const real> dy, q, k, v;
    const acc *log_sum_exp, *delta;  // of the head
};

// The operands of the gradient, with as many queries as keys.
struct Operands {
    const real* dy;
    int lddy;
    const acc* log_sum_exp;
    int ldl;
    const acc* delta;
    int ldd;
    const real* q;
    int ldq;
    const real* k;
    int ldk;
    const real* v;
    int ldv;
    const int* mask;
    int ldm;
    const int* first;
    int ldf, keys, heads, kv_heads;
    acc scale;

    Backward head(int batch, int head) const {
        const int group = heads / kv_heads;
        const size_t row = (size_t)batch * heads + head;
        return {{mask, ldm, first, ldf, keys, keys, batch},
                scale,
                {dy, lddy, batch, keys, head},
                {q, ldq, batch, keys, head},
                {k, ldk, batch, keys, head / group},
                {v, ldv, batch, keys, head / group},
                log_sum_exp + row * ldl,
                delta + row * ldd};
    }
};

#ifndef TENSOR_CORES

// == 14. attention of any type and head size ===========================================================
// 16 x 16 threads, of which (ty, tx) has 4 rows from 4 ty on of the block's own side, and of the other side 4 rows from 4 tx on or, in sums over that
// side, a pair of columns in every chunk.

constexpr int attention_threads = 256;

constexpr int chunk = 32, chunks = (HEAD_DIM + chunk - 1) / chunk;

typedef acc Scores[4][4];         // (own rows, other rows)
typedef acc Sums[4][2 * chunks];  // (own rows, columns)

struct Workspace {
    acc weights[tile][tile + 4];  // (other rows, own rows)
    union {
        acc dims[2][chunk][tile + 4];  // of own and other rows, transposed
        acc rows[tile][chunk];         // of the other side
    };
};

// scores = own other^T
inline void multiply(Scores& scores, Workspace& work, Tile own, Tile other) {
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
#pragma unroll
    for (int i = 0; i < 16; i++)
        scores[i / 4][i % 4] = 0;
    for (int from = 0; from < HEAD_DIM; from += chunk) {
        __syncthreads();  // what was there has been used
#pragma unroll
        for (int i = 0; i < tile * chunk / 4; i += max_threads) {
            const int row = (i + threadIdx.x) / (chunk / 4), d = (i + threadIdx.x) % (chunk / 4) * 4;
            const auto a = own.at(row, from + d), b = other.at(row, from + d);
#pragma unroll
            for (int j = 0; j < 4; j++)
                work.dims[0][d + j][row] = a.at[j], work.dims[1][d + j][row] = b.at[j];
        }
        __syncthreads();
#pragma unroll 4
        for (int d = 0; d < chunk; d++) {
            const auto a = *(const Pack<4>*)&work.dims[0][d][4 * ty], b = *(const Pack<4>*)&work.dims[1][d][4 * tx];
#pragma unroll
            for (int i = 0; i < 16; i++)
                scores[i / 4][i % 4] += a.at[i / 4] * b.at[i % 4];
        }
    }
}

// weights = scores^T, for `accumulate`; the weights before have been used
inline void keep(Workspace& work, const Scores& scores) {
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
#pragma unroll
    for (int j = 0; j < 4; j++)
        *(Pack<4>*)&work.weights[4 * tx + j][4 * ty] = {scores[0][j], scores[1][j], scores[2][j], scores[3][j]};
}

// sums += weights^T other
inline void accumulate(Sums& sums, Workspace& work, Tile other) {
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
#pragma unroll
    for (int c = 0; c < chunks; c++) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < tile * chunk / 4; i += max_threads) {
            const int row = (i + threadIdx.x) / (chunk / 4), d = (i + threadIdx.x) % (chunk / 4) * 4;
            *(Pack<4>*)&work.rows[row][d] = other.at(row, c * chunk + d);
        }
        __syncthreads();
#pragma unroll 4
        for (int row = 0; row < tile; row++) {
            const auto weights = *(const Pack<4>*)&work.weights[row][4 * ty];
            const auto values = *(const Pack<2>*)&work.rows[row][2 * tx];
#pragma unroll
            for (int i = 0; i < 8; i++)
                sums[i / 2][2 * c + i % 2] += weights.at[i / 2] * values.at[i % 2];
        }
    }
}

// y = factor sums, row by row
inline void store(Side<real> y, int from, int rows, const Sums& sums, const acc (&factor)[4]) {
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int c = 0; c < 2 * chunks; c++) {
            const int row = from + 4 * ty + i, column = c / 2 * chunk + 2 * tx + c % 2;
            if (row < rows && column < HEAD_DIM)
                y.row(row)[column] = real(factor[i] * sums[i][c]);
        }
}

inline void attend(const Forward& f, int from) {
    __shared__ Workspace work;
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
    Sums sums = {};
    acc largest[4], total[4], factor[4];
    int first_key[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        largest[i] = lowest, total[i] = 0, first_key[i] = f.view.first_key(from + 4 * ty + i);
    for (int key = f.view.first_tile(from); key < f.view.end_key(from); key += tile) {
        Scores scores;
        multiply(scores, work, f.view.query_tile(f.q, from), f.view.key_tile(f.k, key));
#pragma unroll
        for (int i = 0; i < 4; i++) {
            acc most = largest[i], added = 0;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const bool sees = f.view.sees(from + 4 * ty + i, first_key[i], key + 4 * tx + j);
                scores[i][j] = sees ? f.scale * scores[i][j] : -infinity();
                most = max(most, scores[i][j]);
            }
            most = warp_reduce(most, Larger(), 16);
#pragma unroll
            for (int j = 0; j < 4; j++)
                scores[i][j] = exp(scores[i][j] - most), added += scores[i][j];
            const acc decay = exp(largest[i] - most);
            largest[i] = most, total[i] = decay * total[i] + warp_reduce(added, Add(), 16);
#pragma unroll
            for (int c = 0; c < 2 * chunks; c++)
                sums[i][c] *= decay;
        }
        keep(work, scores);
        accumulate(sums, work, f.view.key_tile(f.v, key));
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int query = from + 4 * ty + i;
        factor[i] = total[i] == 0 ? 0 : 1 / total[i];
        if (f.log_sum_exp != nullptr && tx == 0 && query < f.view.queries)
            f.log_sum_exp[query] = largest[i] + log(total[i]);
    }
    store(f.y, from, f.view.queries, sums, factor);
}

// q k^T becomes p, and dy v^T becomes ds.
template <bool own_are_queries> void differentiate(Scores& p, Scores& ds, const Backward& b, int own, int other) {
    const int ty = threadIdx.x / 16, tx = threadIdx.x % 16, first_query = own_are_queries ? own + 4 * ty : other + 4 * tx;
    acc log_sum_exp[4], delta[4];
    int first_key[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int query = min(first_query + i, b.view.queries - 1);
        log_sum_exp[i] = b.log_sum_exp[query], delta[i] = b.delta[query], first_key[i] = b.view.first_key(query);
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int q = own_are_queries ? i : j, key = own_are_queries ? other + 4 * tx + j : own + 4 * ty + i;
            p[i][j] = b.view.sees(first_query + q, first_key[q], key) ? exp(b.scale * p[i][j] - log_sum_exp[q]) : 0;
            ds[i][j] = p[i][j] * (ds[i][j] - delta[q]);
        }
}

// dk and dv of a tile of keys.
inline void gradient_of_keys(Side<real> dk, Side<real> dv, const Operands& operands, int batch, int kv_head, int key) {
    __shared__ Workspace work;
    const int group = operands.heads / operands.kv_heads;
    const acc scale = operands.scale;
    Sums dk_sums = {}, dv_sums = {};
    for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
        const Backward b = operands.head(batch, head);
        for (int query = key; query < b.view.queries; query += tile) {
            if (!b.view.meets(query, tile, key))
                continue;
            Scores p, ds;
            multiply(p, work, b.view.key_tile(b.k, key), b.view.query_tile(b.q, query));
            multiply(ds, work, b.view.key_tile(b.v, key), b.view.query_tile(b.dy, query));
            differentiate<false>(p, ds, b, key, query);
            keep(work, p);
            accumulate(dv_sums, work, b.view.query_tile(b.dy, query));
            __syncthreads();
            keep(work, ds);
            accumulate(dk_sums, work, b.view.query_tile(b.q, query));
        }
    }
    store(dk, key, operands.keys, dk_sums, {scale, scale, scale, scale});
    store(dv, key, operands.keys, dv_sums, {1, 1, 1, 1});
}

// dq of a tile of queries.
inline void gradient_of_queries(Side<real> dq, const Backward& b, int query) {
    __shared__ Workspace work;
    Sums sums = {};
    for (int key = b.view.first_tile(query); key < b.view.end_key(query); key += tile) {
        Scores p, ds;
        multiply(p, work, b.view.query_tile(b.q, query), b.view.key_tile(b.k, key));
        multiply(ds, work, b.view.query_tile(b.dy, query), b.view.key_tile(b.v, key));
        differentiate<true>(p, ds, b, query, key);
        keep(work, ds);
        accumulate(sums, work, b.view.key_tile(b.k, key));
    }
    store(dq, query, b.view.queries, sums, {b.scale, b.scale, b.scale, b.scale});
}

#else

// == 15. attention on tensor cores =====================================================================
// 16-bit types, head sizes that are multiples of 16 up to 128. 4 warps, each with 16 of the block's own rows. A product takes 16 dimensions at a time:
// mma of (16,16) by (16,8). Lane 4 g + t has rows g and g + 8, and of every 8 columns two from 2 t on.
// The sums of larger heads, multiples of 32 up to 256, do not fit the registers of one warp: two warps have the same 16 rows, both score them, and each
// sums one half of the dimensions. With half of the rows, what a block shares fits the 48 KB of every device.

static_assert(sizeof(real) == 2 && HEAD_DIM % (16 * head_parts) == 0 && HEAD_DIM <= 256, "no tensor cores for this type and head size");

constexpr int attention_threads = 128;
constexpr int head_chunks = HEAD_DIM / 8;      // 16 bytes each
constexpr bool swizzled = HEAD_DIM % 64 == 0;  // so that the chunks of 8 rows lie in different banks; otherwise rows are 16 bytes apart
constexpr int row_elements = HEAD_DIM + (swizzled ? 0 : 8);
constexpr acc log2_e = 1.4426950408889634f;

template <class T> constexpr bool is_bf16 = false;
template <> constexpr bool is_bf16<bf16> = true;

constexpr int part_chunks = head_chunks / head_parts;

// Where a lane is: its warp's rows and part of the dimensions, its own rows, r = 0 or 1, and the other rows of element i of column block n.
inline int warp_row() { return threadIdx.x / 32 / head_parts * 16; }
inline int head_part() { return threadIdx.x / 32 % head_parts; }
inline int own_row(int from, int r) { return from + warp_row() + threadIdx.x % 32 / 4 + 8 * r; }
inline int other_row(int from, int n, int i) { return from + 8 * n + 2 * (threadIdx.x % 4) + i % 2; }

// d += a b
inline void mma(acc (&d)[4], const unsigned (&a)[4], const unsigned* b) {
    if (is_bf16<real>)
        mma_m16n8k16_bf16(d, a, b, d);
    else
        mma_m16n8k16_f16(d, a, b, d);
}

inline unsigned pair(acc low, acc high) { return is_bf16<real> ? cvt_rn_bf16x2_f32(low, high) : cvt_rn_f16x2_f32(low, high); }

// A tile in shared memory.
template <int rows> struct SharedTile {
    alignas(16) real x[rows * row_elements];

    real* at(int row, int chunk) { return x + row * row_elements + 8 * (swizzled ? chunk ^ row % 8 : chunk); }

    // Starts to copy; the tile is there after cp_async_wait and a barrier.
    void fill(Tile from) {
        const bool whole = aligned<8>(from.x, from.ldx);
        for (int i = threadIdx.x; i < rows * head_chunks; i += attention_threads) {
            const int row = i / head_chunks, chunk = i % head_chunks;
            const bool there = from.has(row);
            const real* source = from.x + (there ? (size_t)row * from.ldx + 8 * chunk : 0);
            if (whole)
                cp_async_16(at(row, chunk), source, there ? 16 : 0);
            else
                for (int j = 0; j < 8; j++)
                    at(row, chunk)[j] = there ? source[j] : real(0.0f);
        }
        cp_async_commit();
    }

    // Rows row .. row + 15 of dimensions 16 k .. as the left factor of a product.
    void left(unsigned (&a)[4], int row, int k) { ldmatrix_x4(a, at(row + threadIdx.x % 16, 2 * k + threadIdx.x % 32 / 16)); }
    // The same, transposed, as the right factor: two times 8 columns.
    void right_transposed(unsigned (&b)[4], int row, int k) {
        const int lane = threadIdx.x % 32;
        ldmatrix_x4(b, at(row + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
    }
    // The same as it is, as the right factor.
    void right(unsigned (&b)[4], int row, int k) { ldmatrix_x4_trans(b, at(row + threadIdx.x % 16, 2 * k + threadIdx.x % 32 / 16)); }
};

template <int others> struct Scores {  // (16 own rows, other rows) of a warp
    acc at[others / 8][4];

    // = own other^T
    Scores(SharedTile<tile>& own, SharedTile<others>& other) : at() {
#pragma unroll
        for (int k = 0; k < HEAD_DIM / 16; k++) {
            unsigned a[4], b[4];
            own.left(a, warp_row(), k);
#pragma unroll
            for (int n = 0; n < others / 16; n++) {
                other.right_transposed(b, 16 * n, k);
                mma(at[2 * n], a, b);
                mma(at[2 * n + 1], a, b + 2);
            }
        }
    }
};

struct Sums {  // (16 own rows, a part of the dimensions) of a warp
    acc at[part_chunks][4] = {};

    // += weights other
    template <int others> void add(const Scores<others>& weights, SharedTile<others>& other) {
#pragma unroll
        for (int k = 0; k < others / 16; k++) {
            const auto &w = weights.at[2 * k], &x = weights.at[2 * k + 1];
            const unsigned a[4] = {pair(w[0], w[1]), pair(w[2], w[3]), pair(x[0], x[1]), pair(x[2], x[3])};
            unsigned b[4];
#pragma unroll
            for (int d = 0; d < part_chunks / 2; d++) {
                other.right(b, 16 * k, head_part() * part_chunks / 2 + d);
                mma(at[2 * d], a, b);
                mma(at[2 * d + 1], a, b + 2);
            }
        }
    }

    // y = factor sums, for rows g and g + 8
    void store(Side<real> y, int from, int rows, acc factor0, acc factor1) const {
        const bool whole = aligned<2>(y.x, y.ldx);
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const int row = own_row(from, r);
            const acc factor = r == 0 ? factor0 : factor1;
            if (row < rows)
#pragma unroll
                for (int c = 0; c < part_chunks; c++) {
                    real* to = y.row(row) + 8 * (head_part() * part_chunks + c) + 2 * (threadIdx.x % 4);
                    const Pack<2, real> values = {real(factor * at[c][2 * r]), real(factor * at[c][2 * r + 1])};
                    if (whole)
                        *(Pack<2, real>*)to = values;
                    else
                        to[0] = values.at[0], to[1] = values.at[1];
                }
        }
    }
};

inline void attend(const Forward& f, int from) {
    __shared__ SharedTile<tile> q, k, v;
    const int end = f.view.end_key(from);
    int key = f.view.first_tile(from);
    q.fill(f.view.query_tile(f.q, from));
    k.fill(f.view.key_tile(f.k, min(key, f.view.keys - 1)));
    Sums sums;
    acc largest[2] = {lowest, lowest}, total[2] = {0, 0};
    const int first_key[2] = {f.view.first_key(own_row(from, 0)), f.view.first_key(own_row(from, 1))};
    for (; key < end; key += tile) {
        cp_async_wait<0>();
        __syncthreads();  // k is there, v has been used
        v.fill(f.view.key_tile(f.v, key));
        Scores<tile> scores(q, k);
        const bool all_seen = f.view.mask == nullptr && f.view.first == nullptr && key + tile - 1 <= f.view.last_key(from);
#pragma unroll
        for (int r = 0; r < 2; r++) {
            acc most = largest[r], added = 0;
#pragma unroll
            for (int i = 0; i < tile / 4; i++) {
                acc& s = scores.at[i / 2][2 * r + i % 2];
                s = all_seen || f.view.sees(own_row(from, r), first_key[r], other_row(key, i / 2, i)) ? f.scale * log2_e * s : -infinity();
                most = max(most, s);
            }
            most = warp_reduce(most, Larger(), 4);
#pragma unroll
            for (int i = 0; i < tile / 4; i++) {
                acc& s = scores.at[i / 2][2 * r + i % 2];
                s = exp2(s - most), added += s;
            }
            const acc decay = exp2(largest[r] - most);
            largest[r] = most, total[r] = decay * total[r] + added;  // of this lane's columns
#pragma unroll
            for (int c = 0; c < part_chunks; c++)
                sums.at[c][2 * r] *= decay, sums.at[c][2 * r + 1] *= decay;
        }
        cp_async_wait<0>();
        __syncthreads();  // v is there, k has been used
        if (key + tile < end)
            k.fill(f.view.key_tile(f.k, key + tile));
        sums.add(scores, v);
    }
    cp_async_wait<0>();  // of a block that sees nothing
    acc factor[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        total[r] = warp_reduce(total[r], Add(), 4);
        factor[r] = total[r] == 0 ? 0 : 1 / total[r];
        if (f.log_sum_exp != nullptr && head_part() == 0 && threadIdx.x % 4 == 0 && own_row(from, r) < f.view.queries)
            f.log_sum_exp[own_row(from, r)] = (largest[r] + log2(total[r])) / log2_e;
    }
    sums.store(f.y, from, f.view.queries, factor[0], factor[1]);
}

constexpr int others = tile / 2;  // rows at a time, so that four tiles fit

// q k^T becomes p, and dy v^T becomes ds.
template <bool own_are_queries> void differentiate(Scores<others>& p, Scores<others>& ds, const Backward& b, int own, int other) {
    constexpr int count = own_are_queries ? 2 : others / 4;  // queries of a lane
    acc log_sum_exp[count], delta[count];
    int first_key[count];
#pragma unroll
    for (int j = 0; j < count; j++) {
        const int query = min(own_are_queries ? own_row(own, j) : other_row(other, j / 2, j), b.view.queries - 1);
        log_sum_exp[j] = b.log_sum_exp[query] * log2_e, delta[j] = b.delta[query], first_key[j] = b.view.first_key(query);
    }
#pragma unroll
    for (int i = 0; i < others / 2; i++) {
        const int n = i / 4, j = own_are_queries ? i % 4 / 2 : 2 * n + i % 2;
        const int own_side = own_row(own, i % 4 / 2), other_side = other_row(other, n, i);
        const bool sees = b.view.sees(own_are_queries ? own_side : other_side, first_key[j], own_are_queries ? other_side : own_side);
        acc& probability = p.at[n][i % 4];
        probability = sees ? exp2(b.scale * log2_e * probability - log_sum_exp[j]) : 0;
        ds.at[n][i % 4] = probability * (ds.at[n][i % 4] - delta[j]);
    }
}

// dk and dv of a tile of keys.
inline void gradient_of_keys(Side<real> dk, Side<real> dv, const Operands& operands, int batch, int kv_head, int key) {
    __shared__ SharedTile<tile> k, v;
    __shared__ SharedTile<others> q, dy;
    const int group = operands.heads / operands.kv_heads;
    Sums dk_sums, dv_sums;
    for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
        const Backward b = operands.head(batch, head);
        if (head == kv_head * group) {
            k.fill(b.view.key_tile(b.k, key));
            v.fill(b.view.key_tile(b.v, key));
        }
        for (int query = key; query < b.view.queries; query += others) {
            if (!b.view.meets(query, others, key))
                continue;
            __syncthreads();  // the tiles before these have been used
            q.fill(b.view.query_tile(b.q, query));
            dy.fill(b.view.query_tile(b.dy, query));
            cp_async_wait<0>();
            __syncthreads();
            Scores<others> p(k, q), ds(v, dy);
            differentiate<false>(p, ds, b, key, query);
            dv_sums.add(p, dy);
            dk_sums.add(ds, q);
        }
    }
    cp_async_wait<0>();
    dk_sums.store(dk, key, operands.keys, operands.scale, operands.scale);
    dv_sums.store(dv, key, operands.keys, 1, 1);
}

// dq of a tile of queries.
inline void gradient_of_queries(Side<real> dq, const Backward& b, int query) {
    __shared__ SharedTile<tile> q, dy;
    __shared__ SharedTile<others> k, v;
    Sums sums;
    q.fill(b.view.query_tile(b.q, query));
    dy.fill(b.view.query_tile(b.dy, query));
    for (int key = b.view.first_tile(query); key < b.view.end_key(query); key += others) {
        __syncthreads();  // the tiles before these have been used
        k.fill(b.view.key_tile(b.k, key));
        v.fill(b.view.key_tile(b.v, key));
        cp_async_wait<0>();
        __syncthreads();
        Scores<others> p(q, k), ds(dy, v);
        differentiate<true>(p, ds, b, query, key);
        sums.add(ds, k);
    }
    cp_async_wait<0>();
    sums.store(dq, query, b.view.queries, b.scale, b.scale);
}

#endif

// == 16. attention: the kernels ========================================================================

// y; log_sum_exp or null becomes log(sum(exp(scale q k^T))), minus infinity for a query that sees no key
// launch: blocks of 256 threads, of 128 under TENSOR_CORES; grid (ceil(queries / tile), heads, batch)
extern "C" __global__ void __launch_bounds__(attention_threads, 1)
    attention_forward(real* y, int ldy, acc* log_sum_exp, int ldl, const real* q, int ldq, const real* k, int ldk, const real* v, int ldv,
                      const int* mask, int ldm, const int* first, int ldf, int queries, int keys, int capacity, int heads, int kv_heads, acc scale) {
    const int batch = blockIdx.z, head = blockIdx.y, kv_head = head / (heads / kv_heads);
    const int from = (gridDim.x - 1 - blockIdx.x) * tile;  // those with the most keys first
    attend({{mask, ldm, first, ldf, queries, keys, batch},
            scale,
            {y, ldy, batch, queries, head},
            log_sum_exp == nullptr ? nullptr : log_sum_exp + ((size_t)batch * heads + head) * ldl,
            {q, ldq, batch, queries, head},
            {k, ldk, batch, capacity, kv_head},
            {v, ldv, batch, capacity, kv_head}},
           from);
}

// Attention of one query per sequence, as in decoding: the keys are cut into parts, and the heads of a kv head, at most a tile, are the rows of a block, so
// that every key is read once. y (parts, batch, heads, HEAD_DIM) and log_sum_exp (parts, batch, heads), both without gaps, are for merge.
// launch: blocks of 256 threads, of 128 under TENSOR_CORES; grid (parts, kv_heads, batch), where parts follows from the keys alone
extern "C" __global__ void __launch_bounds__(attention_threads, 1)
    attention_step_forward(real* y, acc* log_sum_exp, const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, const int* mask,
                           int ldm, const int* first, int ldf, int keys, int capacity, int heads, int kv_heads, acc scale) {
    const int batch = blockIdx.z, kv_head = blockIdx.y, group = heads / kv_heads, part_tiles = ((keys + tile - 1) / tile + gridDim.x - 1) / gridDim.x;
    const int begin = min(keys, (int)blockIdx.x * part_tiles * tile), end = min(keys, begin + part_tiles * tile);
    const size_t row = ((size_t)blockIdx.x * gridDim.z + batch) * heads + kv_head * group;
    attend({{mask, ldm, first, ldf, group, end, batch, begin, 0},
            scale,
            {y + row * HEAD_DIM, HEAD_DIM},
            log_sum_exp + row,
            {q + (size_t)batch * ldq + kv_head * group * HEAD_DIM, HEAD_DIM},
            {k, ldk, batch, capacity, kv_head},
            {v, ldv, batch, capacity, kv_head}},
           0);
}

// y and log_sum_exp or null of all parts
// launch: elements(batch * heads, HEAD_DIM)
extern "C" __global__ void __launch_bounds__(256) attention_merge_forward(real* y, int ldy, acc* log_sum_exp, int ldl, const real* y_parts,
                                                                          const acc* log_sum_exp_parts, int parts, int batch, int heads) {
    const int rows = batch * heads;
    each_pack<1>(rows, HEAD_DIM, [=](auto at) {
        acc largest = lowest, total = 0, sum = 0;
        for (int p = 0; p < parts; p++)
            largest = max(largest, log_sum_exp_parts[(size_t)p * rows + at.row]);
        for (int p = 0; p < parts; p++) {
            const size_t row = (size_t)p * rows + at.row;
            const acc weight = exp(log_sum_exp_parts[row] - largest);
            total += weight, sum += weight * (acc)y_parts[row * HEAD_DIM + at.column];
        }
        y[(size_t)(at.row / heads) * ldy + at.row % heads * HEAD_DIM + at.column] = real(total == 0 ? 0 : sum / total);
        if (log_sum_exp != nullptr && at.column == 0)
            log_sum_exp[(size_t)at.row * ldl] = largest + log(total);
    });
}

// delta = sum(dy y) of every query and head
// launch: elements(batch * queries, 32 * heads)
extern "C" __global__ void __launch_bounds__(256)
    attention_delta_backward(acc* delta, int ldd, const real* dy, int lddy, const real* y, int ldy, int batch, int queries, int heads) {
    const long long count = (long long)batch * queries * heads;
    for (long long i = blockIdx.x * max_warps + threadIdx.x / 32; i < count; i += gridDim.x * max_warps) {
        const int row = (int)(i / heads), head = (int)(i % heads);
        const real *a = dy + (size_t)row * lddy + head * HEAD_DIM, *b = y + (size_t)row * ldy + head * HEAD_DIM;
        acc total = 0;
        for (int d = threadIdx.x % 32; d < HEAD_DIM; d += 32)
            total += (acc)a[d] * (acc)b[d];
        total = warp_reduce(total, Add());
        if (threadIdx.x % 32 == 0)
            delta[((size_t)(row / queries) * heads + head) * ldd + row % queries] = total;
    }
}

// dk and dv, with as many queries as keys
// launch: blocks of 256 threads, of 128 under TENSOR_CORES; grid (ceil(keys / tile), kv_heads, batch)
extern "C" __global__ void __launch_bounds__(attention_threads, 1)
    attention_keys_backward(real* dk, int lddk, real* dv, int lddv, const real* dy, int lddy, const acc* log_sum_exp, int ldl, const acc* delta,
                            int ldd, const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, const int* mask, int ldm,
                            const int* first, int ldf, int keys, int heads, int kv_heads, acc scale) {
    const int batch = blockIdx.z, kv_head = blockIdx.y;
    const Operands operands = {dy, lddy, log_sum_exp, ldl, delta, ldd, q, ldq, k, ldk, v, ldv, mask, ldm, first, ldf, keys, heads, kv_heads, scale};
    gradient_of_keys({dk, lddk, batch, keys, kv_head}, {dv, lddv, batch, keys, kv_head}, operands, batch, kv_head, blockIdx.x * tile);
}

// dq, with as many queries as keys
// launch: blocks of 256 threads, of 128 under TENSOR_CORES; grid (ceil(keys / tile), heads, batch)
extern "C" __global__ void __launch_bounds__(attention_threads, 1)
    attention_queries_backward(real* dq, int lddq, const real* dy, int lddy, const acc* log_sum_exp, int ldl, const acc* delta, int ldd,
                               const real* q, int ldq, const real* k, int ldk, const real* v, int ldv, const int* mask, int ldm, const int* first,
                               int ldf, int keys, int heads, int kv_heads, acc scale) {
    const int batch = blockIdx.z, head = blockIdx.y;
    const Operands operands = {dy, lddy, log_sum_exp, ldl, delta, ldd, q, ldq, k, ldk, v, ldv, mask, ldm, first, ldf, keys, heads, kv_heads, scale};
    gradient_of_queries({dq, lddq, batch, keys, head}, operands.head(batch, head), (gridDim.x - 1 - blockIdx.x) * tile);
}

#endif
