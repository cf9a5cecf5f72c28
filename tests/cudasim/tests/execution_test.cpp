// Threads, barriers, exchanges and shared memory: what correct kernels rely on, in every order.
#include "core/half.h"
#include "gpu.h"
#include "kernels.h"

#include <cmath>

using namespace test;

namespace {

const char* const orders[] = {"forward", "reverse", "1", "2"};

/// Runs a body once in each order.
template <class Body> void in_every_order(Body body) {
    for (const char* order : orders) {
        const Configured configured("CUDASIM_ORDER", order, "forward");
        body();
    }
}

std::vector<float> ramp(std::size_t n) {
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; i++)
        values[i] = float(i % 97) - 48;
    return values;
}

}  // namespace

TEST(blocks_reduce_rows_in_every_order) {
    const Gpu gpu;
    const Module module(kernels());
    const auto x = ramp(12 * 700);
    in_every_order([&] {
        const Buffer<float> input(x), output(12);
        SUCCEED(module.run("row_sums", {12, 256}, output.pointer(), input.pointer(), 700));
        const auto sums = output.read();
        for (std::size_t row = 0; row < 12; row++) {
            float sum = 0;
            for (std::size_t i = 0; i < 700; i++)
                sum += x[row * 700 + i];
            CHECK_EQUAL(sums[row], sum);
        }
    });
}

TEST(a_template_kernel_uses_dynamic_shared_memory) {
    const Gpu gpu;
    const Compilation compilation(kernels(), {"--gpu-architecture=sm_90"}, {"reverse<float>", "reverse<double>"});
    const Module module(compilation);
    CHECK_EQUAL(compilation.lowered_names[1], "_Z7reverseIdEvPT_PKS0_");
    in_every_order([&] {
        const auto x = ramp(96);
        const Buffer<float> input(x), output(96);
        SUCCEED(module.run(compilation.lowered_names[0].c_str(), {2, 48, 48 * sizeof(float)}, output.pointer(), input.pointer()));
        const auto y = output.read();
        for (std::size_t i = 0; i < 96; i++)
            CHECK_EQUAL(y[i], x[i / 48 * 48 + 47 - i % 48]);
    });
}

TEST(a_missing_barrier_shows_in_some_order) {
    const Gpu gpu;
    const Module module(kernels());
    const auto x = ramp(256);
    int wrong = 0;
    in_every_order([&] {
        const Buffer<float> input(x), output(256);
        SUCCEED(module.run("reverse_without_barrier", {2, 128, 128 * sizeof(float)}, output.pointer(), input.pointer()));
        const auto y = output.read();
        for (std::size_t i = 0; i < 256; i++)
            wrong += y[i] != x[i / 128 * 128 + 127 - i % 128];
    });
    CHECK(wrong >= 128);
}

TEST(a_race_between_blocks_shows_only_when_their_order_turns) {
    const Gpu gpu;
    const Module module(kernels());
    const auto x = ramp(2000);
    const auto wrong_in = [&](const char* order) {
        const Configured configured("CUDASIM_ORDER", order, "forward");
        const Buffer<float> values(x);
        SUCCEED(module.run("keep_even_in_place", {8, 128}, values.pointer(), 1000));
        const auto y = values.read();
        int wrong = 0;
        for (std::size_t i = 0; i < 1000; i++)
            wrong += y[i] != x[2 * i];
        return wrong;
    };
    CHECK_EQUAL(wrong_in("forward"), 0);
    CHECK(wrong_in("reverse") > 100);
}

TEST(lanes_exchange_as_cuda_says) {
    const Gpu gpu;
    const Module module(kernels());
    in_every_order([&] {
        const Buffer<int> output(8);
        SUCCEED(module.run("exchanges", {1, 32}, output.pointer()));
        const auto y = output.read();
        CHECK_EQUAL(y[0], 107);
        CHECK_EQUAL(y[1], 103);
        CHECK_EQUAL(y[2], 107);
        CHECK_EQUAL(y[3], 104);
        CHECK_EQUAL(static_cast<unsigned>(y[4]), 0x49249249u);
        CHECK_EQUAL(y[5], 2);
        CHECK_EQUAL(y[6], 12);
        CHECK_EQUAL(y[7], 9);
    });
}

TEST(barriers_count_votes) {
    const Gpu gpu;
    const Module module(kernels());
    in_every_order([&] {
        const Buffer<int> output(1);
        SUCCEED(module.run("count_votes", {1, 100}, output.pointer()));
        CHECK_EQUAL(output.read()[0], 34 + 1000);
    });
}

TEST(shared_memory_is_poisoned_before_each_block) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<float> output(2 * 3 * 64);
    SUCCEED(module.run("read_unwritten", {3, 64, 64 * sizeof(float)}, output.pointer()));
    for (const float value : output.read())
        CHECK(std::isnan(value));
}

TEST(an_asynchronous_copy_arrives_when_it_is_waited_for) {
    const Gpu gpu;
    const Module module(kernels());
    const auto x = ramp(128);
    const Buffer<float> input(x), output(128);
    SUCCEED(module.run("copy_asynchronously", {1, 32}, output.pointer(), input.pointer(), 1));
    for (std::size_t i = 0; i < 128; i++)
        CHECK_EQUAL(output.read()[i], x[127 - i]);
    SUCCEED(module.run("copy_asynchronously", {1, 32}, output.pointer(), input.pointer(), 0));
    for (const float value : output.read())
        CHECK(std::isnan(value));
}

TEST(fragments_multiply_like_matrices) {
    const Gpu gpu;
    const Module module(kernels());
    for (const int half : {0, 1}) {
        std::vector<std::uint16_t> a(256), b(128);
        const auto narrow = [half](float v) { return half != 0 ? cudasim::to_half(v) : cudasim::to_bf16(v); };
        const auto wide = [half](std::uint16_t v) { return half != 0 ? cudasim::half_values()[v] : cudasim::from_bf16(v); };
        for (std::size_t i = 0; i < a.size(); i++)
            a[i] = narrow(std::sin(float(i)));
        for (std::size_t i = 0; i < b.size(); i++)
            b[i] = narrow(std::cos(float(3 * i)));
        in_every_order([&] {
            const Buffer<std::uint16_t> left(a), right(b);
            const Buffer<float> product(128);
            SUCCEED(module.run("multiply", {1, 32}, product.pointer(), left.pointer(), right.pointer(), half));
            const auto c = product.read();
            for (std::size_t i = 0; i < 16; i++)
                for (std::size_t j = 0; j < 8; j++) {
                    double sum = 0;
                    for (std::size_t k = 0; k < 16; k++)
                        sum += double(wide(a[i * 16 + k])) * wide(b[k * 8 + j]);
                    CHECK(std::abs(c[i * 8 + j] - sum) <= 1e-6);
                }
        });
    }
}

TEST(atomics_count) {
    const Gpu gpu;
    const Module module(kernels());
    const Buffer<int> total(std::vector<int>{5});
    const Buffer<unsigned> largest(std::vector<unsigned>{0});
    const Buffer<float> sum(std::vector<float>{0});
    SUCCEED(module.run("count", {3, 70}, total.pointer(), largest.pointer(), sum.pointer()));
    CHECK_EQUAL(total.read()[0], 215);
    CHECK_EQUAL(largest.read()[0], 209u);
    CHECK_EQUAL(sum.read()[0], 105.0f);
}
