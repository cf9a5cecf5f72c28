// Conversions, drawing, checks, packing.
#include "kernel_test.h"

using namespace test;

namespace {

template <class To, class From> void check_copy(const char* kernel, const Values& values, const Values& expected) {
    const Matrix<From> x(3, values.size() / 3, 2, values);
    const Matrix<To> y(3, values.size() / 3, 1);
    run(module_of<To>(), kernel, elements, y.pointer(), y.ld(), x.pointer(), x.ld(), 3, int(values.size() / 3));
    CHECK_CLOSE(y, expected, 0, std::string(kernel) + " to " + Type<To>::name);
}

/// Philox4x32-10 as in the paper.
unsigned philox(std::uint64_t index, std::uint64_t key) {
    std::uint32_t x[4] = {std::uint32_t(index / 4), std::uint32_t(index / 4 >> 32), 0, 0}, k[2] = {std::uint32_t(key), std::uint32_t(key >> 32)};
    for (int round = 0; round < 10; round++) {
        const std::uint64_t a = 0xD2511F53ull * x[0], b = 0xCD9E8D57ull * x[2];
        const std::uint32_t next[4] = {std::uint32_t(b >> 32) ^ x[1] ^ k[0], std::uint32_t(b), std::uint32_t(a >> 32) ^ x[3] ^ k[1],
                                       std::uint32_t(a)};
        std::memcpy(x, next, sizeof x);
        k[0] += 0x9E3779B9, k[1] += 0xBB67AE85;
    }
    return x[index % 4];
}

}  // namespace

TEST(copies_round_once) {
    const Session session;
    // 1 + 2^-9 lies between two bf16 numbers; a little more than half is lost where binary32 would hide it.
    const Values doubles = {1 + std::ldexp(1, -8) + std::ldexp(1, -40),
                            1 + std::ldexp(1, -8),
                            -1 - std::ldexp(1, -8) - std::ldexp(1, -50),
                            3.4e38,
                            1e300,
                            std::ldexp(1, -140),
                            -0.0,
                            0.1,
                            65519.9999999};
    check_copy<Bf16, double>("copy_f64_forward", doubles,
                             {1 + std::ldexp(1, -7), 1, -1 - std::ldexp(1, -7), INFINITY, INFINITY, 0, 0, 0.10009765625, 65536});
    check_copy<Half, double>(
        "copy_f64_forward", doubles,
        {1 + std::ldexp(1, -8), 1 + std::ldexp(1, -8), -1 - std::ldexp(1, -8), INFINITY, INFINITY, 0, 0, 0.0999755859375, 65504});
    check_copy<float, double>("copy_f64_forward", {0.1, 1e39, -1e-50, 2, 3, 4}, {double(0.1f), INFINITY, 0, 2, 3, 4});
    const Values exact = {0.5, -3, 1.25, 100, -0.0078125, 0, 1, 2, 3, 4, 5, 6};
    check_copy<double, Bf16>("copy_bf16_forward", exact, exact);
    check_copy<double, Half>("copy_f16_forward", exact, exact);
    check_copy<float, Half>("copy_f16_forward", exact, exact);
    check_copy<float, Bf16>("copy_bf16_forward", exact, exact);
    check_copy<Bf16, Half>("copy_f16_forward", exact, exact);
    check_copy<Half, Bf16>("copy_bf16_forward", exact, exact);
    check_copy<Half, float>("copy_f32_forward", exact, exact);
    check_copy<Bf16, float>("copy_f32_forward", exact, exact);
}

TEST(integers_widen_and_saturate) {
    const Session session;
    const Module& module = module_of<float>();
    const Matrix<long long> x(2, 3, 1, {1, -2, 3e9, -3e9, 0, 7}), y(2, 3, 1);
    const Matrix<int> narrow(2, 3, 0);
    run(module, "narrow_forward", elements, narrow.pointer(), narrow.ld(), x.pointer(), x.ld(), 2, 3);
    CHECK_CLOSE(narrow, (Values{1, -2, 2147483647, -2147483648.0, 0, 7}), 0, "narrow");
    run(module, "widen_forward", elements, y.pointer(), y.ld(), narrow.pointer(), narrow.ld(), 2, 3);
    CHECK_CLOSE(y, (Values{1, -2, 2147483647, -2147483648.0, 0, 7}), 0, "widen");
}

TEST(dropout_draws_the_words_of_its_key) {
    each_type([](auto type) {
        using T = decltype(type);
        const std::uint64_t key = 0x123456789abcdef0;
        for (const Size& size : sizes) {
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns);
            const Matrix<T> x(n, d, std::size_t(size.gap), spread(n * d, 1, 1)), y(n, d, std::size_t(size.gap));
            const auto scale = typename Type<T>::Acc(1.25);
            run(module_of<T>(), "dropout_forward", elements, y.pointer(), y.ld(), x.pointer(), x.ld(), size.rows, size.columns, 0x33333333u, scale,
                key, std::uint64_t(3));
            Values expected(n * d);
            for (std::size_t i = 0; i < n * d; i++)
                expected[i] = philox(3 * d + i, key) < 0x33333333u ? 0 : 1.25 * x.values[i];
            CHECK_CLOSE(y, expected, Type<T>::nmse, "dropout " + name_of(size, Type<T>::name));
        }
    });
}

TEST(what_is_not_finite_is_found) {
    each_type([](auto type) {
        using T = decltype(type);
        for (const double value : {1.0, double(NAN), double(INFINITY), -double(INFINITY)})
            for (const std::size_t where : {0, 130, 329}) {
                Values values = spread(330, 1, 1);
                values[where] = value;
                const Matrix<T> x(3, 110, 3, values);
                const Matrix<int> found(1, 1, 0, {0});
                run(module_of<T>(), "all_finite_forward", elements, found.pointer(), x.pointer(), x.ld(), 3, 110);
                CHECK_EQUAL(found.read()[0], value == 1 ? 0 : 1);
            }
    });
}

TEST(the_first_wrong_index_is_named) {
    const Session session;
    const Module& module = module_of<float>();
    const auto first = [&](const char* kernel, const Values& values, auto... limits) {
        const Matrix<int> x(1, values.size(), 0, values), index(1, 1, 0);
        run(module, kernel, one_block, index.pointer(), x.pointer(), int(values.size()), limits...);
        return index.read()[0];
    };
    Values ramp(700);
    for (std::size_t i = 0; i < ramp.size(); i++)
        ramp[i] = double(i);
    CHECK_EQUAL(first("first_outside_forward", ramp, 0, 700), 700);
    CHECK_EQUAL(first("first_outside_forward", ramp, 0, 600), 600);
    CHECK_EQUAL(first("first_unordered_forward", ramp), 700);
    ramp[520] = -1, ramp[650] = -1;
    CHECK_EQUAL(first("first_outside_forward", ramp, 0, 690), 520);
    CHECK_EQUAL(first("first_unordered_forward", ramp), 520);
    CHECK_EQUAL(first("first_unordered_forward", {5, 5}), 1);
}

TEST(rows_and_columns_are_gathered) {
    each_type([](auto type) {
        using T = decltype(type);
        const Module& module = module_of<T>();
        for (const Size& size : sizes) {
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
            Values row_indices, column_indices;
            for (std::size_t i = 0; i < n + 3; i++)
                row_indices.push_back(double(i * 7 % n));
            for (std::size_t i = 0; i < d; i += 2)
                column_indices.push_back(double(i));
            const std::size_t kept = column_indices.size();
            const Matrix<T> x(n, d, gap, spread(n * d, 1, 1)), y(n + 3, d, gap), z(n, kept, gap);
            const Matrix<typename Type<T>::Acc> wide(n + 3, d, gap);
            const Matrix<int> of_rows(1, n + 3, 0, row_indices), of_columns(1, kept, 0, column_indices);
            const std::string name = name_of(size, Type<T>::name);
            Values expected;
            for (std::size_t i = 0; i < n + 3; i++)
                for (std::size_t j = 0; j < d; j++)
                    expected.push_back(x.values[i * 7 % n * d + j]);
            run(module, "gather_rows_forward", elements, y.pointer(), y.ld(), x.pointer(), x.ld(), of_rows.pointer(), size.rows + 3, size.columns);
            CHECK_CLOSE(y, expected, 0, "gather_rows " + name);
            run(module, "embed_forward", elements, wide.pointer(), wide.ld(), x.pointer(), x.ld(), of_rows.pointer(), size.rows + 3, size.columns);
            CHECK_CLOSE(wide, expected, 0, "embed " + name);
            Values columns_expected;
            for (std::size_t i = 0; i < n; i++)
                for (std::size_t j = 0; j < kept; j++)
                    columns_expected.push_back(x.values[i * d + 2 * j]);
            run(module, "gather_columns_forward", elements, z.pointer(), z.ld(), x.pointer(), x.ld(), of_columns.pointer(), size.rows, int(kept));
            CHECK_CLOSE(z, columns_expected, 0, "gather_columns " + name);
        }
    });
}
