// Kernels of the double's own tests, in the dialect that NVRTC accepts without any header. Some are wrong on purpose; their comments say how.

// == inline PTX; the double brings its own functions of these names ====================================

#if defined(__CUDA_ARCH__)
__device__ unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

__device__ void mma_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b, const float* c) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
__device__ void mma_m16n8k16_f16(float* d, const unsigned* a, const unsigned* b, const float* c) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
__device__ void ldmatrix_x4(unsigned* r, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row)));
}
__device__ void ldmatrix_x2_trans(unsigned* r, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(shared_address(row)));
}
__device__ void cp_async_16(void* shared, const void* global, unsigned copied = 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(copied));
}
__device__ void cp_async_commit() { asm volatile("cp.async.commit_group;"); }
template <unsigned pending> __device__ void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending)); }
#endif

// == barriers, exchanges, shared memory ================================================================

extern __shared__ __align__(16) unsigned char dynamic_shared[];

__device__ float warp_sum(float v) {
    for (int lanes = 16; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(0xffffffff, v, lanes);
    return v;
}

__device__ float block_sum(float v) {
    __shared__ float warps[32];
    v = warp_sum(v);
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = v;
    __syncthreads();
    v = threadIdx.x % 32 < blockDim.x / 32 ? warps[threadIdx.x % 32] : 0.0f;
    return warp_sum(v);
}

// y[b] = sum of row b of x; one block per row of n values
extern "C" __global__ void __launch_bounds__(256) row_sums(float* y, const float* x, int n) {
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += x[(size_t)blockIdx.x * n + i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        y[blockIdx.x] = sum;
}

// y = x reversed within each block, through dynamic shared memory
template <class T> __global__ void reverse(T* y, const T* x) {
    T* tile = (T*)dynamic_shared;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = tile[blockDim.x - 1 - threadIdx.x];
}

// The same without the barrier: a race.
extern "C" __global__ void reverse_without_barrier(float* y, const float* x) {
    float* tile = (float*)dynamic_shared;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = x[i];
    y[i] = tile[blockDim.x - 1 - threadIdx.x];
}

// Keeps every second value, in place: blocks read what others have written, a race between blocks.
extern "C" __global__ void keep_even_in_place(float* x, int kept) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < kept)
        x[i] = x[2 * i];
}

// y[0..7] = what lane 5 gets from each kind of shuffle and vote
extern "C" __global__ void exchanges(int* y) {
    const int lane = threadIdx.x;
    const unsigned all = 0xffffffff, low = 0x0000ffff;
    int result[8];
    result[0] = __shfl_sync(all, 100 + lane, 7);
    result[1] = __shfl_up_sync(all, 100 + lane, 2);
    result[2] = __shfl_down_sync(all, 100 + lane, 2, 8);
    result[3] = __shfl_xor_sync(all, 100 + lane, 1);
    result[4] = (int)__ballot_sync(all, lane % 3 == 0);
    result[5] = __any_sync(all, lane == 31) * 2 + __all_sync(all, lane < 31);
    result[6] = 0;
    if (lane < 16)  // half a warp, an odd number of times
        for (int i = 0; i < 3; i++)
            result[6] += __shfl_sync(low, lane + i, 3);
    result[7] = (int)__shfl_down_sync(all, 1.5 * lane, 1);
    if (lane == 5)
        for (int i = 0; i < 8; i++)
            y[i] = result[i];
}

// y[0] = how many threads vote, + 1000 if any + 10000 if all do in two more votes
extern "C" __global__ void count_votes(int* y) {
    int result = __syncthreads_count(threadIdx.x % 3 == 0);
    result += 1000 * __syncthreads_or(threadIdx.x == 0);
    result += 10000 * __syncthreads_and(threadIdx.x > 0);
    if (threadIdx.x == blockDim.x - 1)
        y[0] = result;
}

// y = shared memory that nobody wrote
extern "C" __global__ void read_unwritten(float* y) {
    __shared__ float tile[64];
    y[2 * (blockIdx.x * blockDim.x + threadIdx.x)] = tile[threadIdx.x];
    y[2 * (blockIdx.x * blockDim.x + threadIdx.x) + 1] = ((float*)dynamic_shared)[threadIdx.x];
    tile[threadIdx.x] = ((float*)dynamic_shared)[threadIdx.x] = 1.0f;
}

// == asynchronous copies, matrix fragments =============================================================

// y = x through shared memory; with waits = 0 nothing waits for the copy
extern "C" __global__ void copy_asynchronously(float* y, const float* x, int waits) {
    __shared__ __align__(16) float tile[128];
    cp_async_16(tile + 4 * threadIdx.x, x + 4 * threadIdx.x);
    cp_async_commit();
    if (waits)
        cp_async_wait<0>();
    __syncthreads();
    for (int i = threadIdx.x; i < 128; i += blockDim.x)
        y[i] = tile[127 - i];
}

// c (16,8) = a (16,16) b (16,8) of one warp, elements of 16 bits in rows
extern "C" __global__ void multiply(float* c, const unsigned short* a, const unsigned short* b, int half) {
    __shared__ __align__(16) unsigned short sa[16][16], sb[16][8];
    for (int i = threadIdx.x; i < 256; i += 32)
        sa[i / 16][i % 16] = a[i];
    for (int i = threadIdx.x; i < 128; i += 32)
        sb[i / 8][i % 8] = b[i];
    __syncwarp();
    unsigned ra[4], rb[2];
    float sum[4] = {};
    ldmatrix_x4(ra, &sa[threadIdx.x % 16][threadIdx.x / 16 * 8]);
    ldmatrix_x2_trans(rb, &sb[threadIdx.x % 16][0]);
    if (half)
        mma_m16n8k16_f16(sum, ra, rb, sum);
    else
        mma_m16n8k16_bf16(sum, ra, rb, sum);
    const int row = threadIdx.x / 4, column = threadIdx.x % 4 * 2;
    c[row * 8 + column] = sum[0], c[row * 8 + column + 1] = sum[1];
    c[(row + 8) * 8 + column] = sum[2], c[(row + 8) * 8 + column + 1] = sum[3];
}

// == atomics ===========================================================================================

extern "C" __global__ void count(int* total, unsigned* largest, float* sum) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(total, 1);
    atomicMax(largest, i);
    atomicAdd(sum, 0.5f);
}

__device__ int counter = 7;

extern "C" __global__ void read_counter(int* y) { y[0] = counter; }

// == errors ============================================================================================

extern "C" __global__ void barrier_in_a_branch(float* y) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void different_barriers(float* y) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void shuffle_without_partners(float* y) {
    if (threadIdx.x >= 5)
        y[threadIdx.x] = __shfl_xor_sync(0xffffffff, 1.0f, 1);
}

extern "C" __global__ void shuffles_in_different_places(float* y) {
    if (threadIdx.x < 16)
        y[threadIdx.x] = __shfl_xor_sync(0xffffffff, 1.0f, 1);
    else
        y[threadIdx.x] = __shfl_xor_sync(0xffffffff, 2.0f, 1);
}

extern "C" __global__ void read_misaligned(float* y, const float* x) { *(float4*)y = *(const float4*)(x + 1); }

extern "C" __global__ void write_at(float* y, long long i) {
    if (threadIdx.x == 3)
        y[i] = 1.0f;
}

extern "C" __global__ void write_shared_at(float* y, int i) {
    __shared__ float tile[32];
    tile[i] = 1.0f;
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void write_dynamic_shared_at(float* y, int i) {
    ((float*)dynamic_shared)[i] = 1.0f;
    y[threadIdx.x] = ((float*)dynamic_shared)[threadIdx.x];
}

extern "C" __global__ void divide(int* y, int by) { y[threadIdx.x] = 100 / by; }

__device__ int deep(int n) {
    volatile int local[256];
    local[n % 256] = n;
    return n == 0 ? 0 : deep(n - 1) + local[n % 256];
}

extern "C" __global__ void recurse(int* y, int n) { y[threadIdx.x] = deep(n); }

extern "C" __global__ void trap() { __trap(); }
