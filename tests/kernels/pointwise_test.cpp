// Memory, pointwise ops, MLP.
#include "kernel_test.h"

#include <cstdio>

using namespace test;

namespace {

template <class T> Values each(const Matrix<T>& x, const Value& value) {
    Values y(x.values.size());
    for (std::size_t i = 0; i < y.size(); i++)
        y[i] = value(i);
    return y;
}

double activate(double x, int f) {
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return f == 0 ? std::max(x, 0.0) : f == 1 ? x / (1 + std::exp(-x)) : f == 2 ? 0.5 * x * std::erfc(-x / std::sqrt(2)) : x / (1 + std::exp(-2 * u));
}
double slope(double x, int f) { return f == 0 ? x > 0 : (activate(x + 1e-5, f) - activate(x - 1e-5, f)) / 2e-5; }

}  // namespace

TEST(pointwise_kernels_on_every_size) {
    each_type([](auto type) {
        using T = decltype(type);
        const Module& module = module_of<T>();
        const double nmse = Type<T>::nmse;
        for (const Size& size : sizes) {
            const std::string name = name_of(size, Type<T>::name);
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
            const Matrix<T> x(n, d, gap, spread(n * d, 1, 1)), b(1, d, 0, spread(d, 1, 2));

            Matrix<T> y(n, d, gap, spread(n * d, 1, 3));
            run(module, "add_update", elements, y.pointer(), y.ld(), x.pointer(), x.ld(), size.rows, size.columns);
            CHECK_CLOSE(y, each(y, [&](std::size_t i) { return y.values[i] + x.values[i]; }), nmse, "add " + name);

            Matrix<T> biased(n, d, gap, y.values);
            run(module, "add_bias_update", elements, biased.pointer(), biased.ld(), b.pointer(), size.rows, size.columns);
            CHECK_CLOSE(biased, each(y, [&](std::size_t i) { return y.values[i] + b.values[i % d]; }), nmse, "add_bias " + name);

            const Matrix<T> copy(n, d, gap), transposed(d, n, gap), zero(n, d, gap);
            const std::string of_own = std::string("copy_") + (sizeof(T) == 8          ? "f64"
                                                               : sizeof(T) == 4        ? "f32"
                                                               : *Type<T>::name == 'b' ? "bf16"
                                                                                       : "f16");
            run(module, (of_own + "_forward").c_str(), elements, copy.pointer(), copy.ld(), x.pointer(), x.ld(), size.rows, size.columns);
            CHECK_CLOSE(copy, x.values, 0, "copy " + name);
            run(module, "zero_forward", elements, zero.pointer(), zero.ld(), size.rows, size.columns);
            CHECK_CLOSE(zero, Values(n * d), 0, "zero " + name);
            run(module, "transpose_forward", elements, transposed.pointer(), transposed.ld(), x.pointer(), x.ld(), size.rows, size.columns);
            CHECK_CLOSE(transposed, each(x, [&](std::size_t i) { return x.values[i % n * d + i / n]; }), 0, "transpose " + name);

            Values keep(n);
            for (std::size_t i = 0; i < n; i++)
                keep[i] = double(i % 3);
            const Matrix<int> mask(1, n, 0, keep);
            run(module, "zero_masked_update", elements, copy.pointer(), copy.ld(), mask.pointer(), size.rows, size.columns);
            CHECK_CLOSE(copy, each(x, [&](std::size_t i) { return keep[i / d] == 0 ? 0 : x.values[i]; }), 0, "zero_masked " + name);
        }
    });
}

TEST(activations_and_their_gradients) {
    each_type([](auto type) {
        using T = decltype(type);
        const Module& module = module_of<T>();
        const double nmse = Type<T>::nmse, of_slope = std::max(nmse, 1e-18);
        for (int f = 0; f < 4; f++)
            for (const Size& size : sizes) {
                const std::string name = name_of(size, Type<T>::name) + " " + std::to_string(f);
                const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
                const Matrix<T> x(n, d, gap, spread(n * d, 3, 1)), up(n, d, gap, spread(n * d, 1, 2)), dy(n, d, gap, spread(n * d, 1, 4));
                const Matrix<T> y(n, d, gap), gated(n, d, gap), dx(n, d, gap), dgate(n, d, gap), dup(n, d, gap, up.values);
                run(module, "activate_forward", elements, y.pointer(), y.ld(), x.pointer(), x.ld(), size.rows, size.columns, f);
                CHECK_CLOSE(y, each(x, [&](std::size_t i) { return activate(x.values[i], f); }), 2 * nmse, "activate " + name);
                run(module, "activate_gated_forward", elements, gated.pointer(), gated.ld(), x.pointer(), x.ld(), up.pointer(), up.ld(), size.rows,
                    size.columns, f);
                CHECK_CLOSE(gated, each(x, [&](std::size_t i) { return activate(x.values[i], f) * up.values[i]; }), 2 * nmse, "gated " + name);
                run(module, "activate_backward", elements, dx.pointer(), dx.ld(), dy.pointer(), dy.ld(), x.pointer(), x.ld(), size.rows, size.columns,
                    f);
                CHECK_CLOSE(dx, each(x, [&](std::size_t i) { return dy.values[i] * slope(x.values[i], f); }), of_slope, "backward " + name);
                run(module, "activate_gated_backward", elements, dgate.pointer(), dgate.ld(), dup.pointer(), dup.ld(), dy.pointer(), dy.ld(),
                    x.pointer(), x.ld(), dup.pointer(), dup.ld(), size.rows, size.columns, f);
                CHECK_CLOSE(dgate, each(x, [&](std::size_t i) { return dy.values[i] * up.values[i] * slope(x.values[i], f); }), of_slope,
                            "dgate " + name);
                CHECK_CLOSE(dup, each(x, [&](std::size_t i) { return dy.values[i] * activate(x.values[i], f); }), of_slope, "dup " + name);
            }
    });
}
