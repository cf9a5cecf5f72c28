#include "gpu.h"

using namespace test;

TEST(a_kernel_adds_two_vectors) {
    Gpu gpu;
    const Module module(R"(
        extern "C" __global__ void __launch_bounds__(128) add(float* y, const float* a, const float* b, int n) {
            const int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n)
                y[i] = a[i] + b[i];
        }
    )");
    std::vector<float> a(1000), b(1000);
    for (std::size_t i = 0; i < a.size(); i++)
        a[i] = float(i), b[i] = 0.5f;
    const Buffer<float> x(a), z(b), y(1000);
    SUCCEED(module.run("add", {8, 128}, y.pointer(), x.pointer(), z.pointer(), 1000));
    const auto sum = y.read();
    for (std::size_t i = 0; i < a.size(); i++)
        CHECK_EQUAL(sum[i], float(i) + 0.5f);
}
