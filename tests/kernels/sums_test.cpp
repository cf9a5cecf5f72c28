// Sums over columns, positions, importance, the optimiser.
#include "kernel_test.h"

#include <numeric>

using namespace test;

namespace {

constexpr unsigned parts_count = 3;
constexpr Grid column_grid = {2, 256, parts_count};

double saliency(double w, double g, double h, int kind) {
    const double of_kind[] = {std::abs(w), w * w, std::abs(w * g), w * g, std::abs(w * w * h), std::abs(w * g - w * w * h / 2)};
    return of_kind[kind];
}

}  // namespace

TEST(columns_are_summed) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        for (const Size& size : sizes) {
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns);
            const Matrix<T> x(n, d, std::size_t(size.gap), spread(n * d, 1, 1));
            const Matrix<Acc> b(1, d, 0, spread(d, 1, 2));
            const Matrix<double> parts(parts_count, d, 0);
            run(module_of<T>(), "column_sums_forward", column_grid, parts.pointer(), x.pointer(), x.ld(), size.rows, size.columns);
            run(module_of<T>(), "add_parts_update", elements, b.pointer(), parts.pointer(), int(parts_count), size.columns);
            Values expected = b.values;
            for (std::size_t i = 0; i < n * d; i++)
                expected[i % d] += x.values[i];
            CHECK_CLOSE(b, expected, sizeof(T) == 8 ? 1e-28 : 1e-14, "column sums " + name_of(size, Type<T>::name));
        }
    });
}

TEST(saliency_of_rows_and_columns) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        for (int kind = 0; kind < 6; kind++)
            for (const Size& size : sizes) {
                const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
                const std::string name = name_of(size, Type<T>::name) + " saliency " + std::to_string(kind);
                const Matrix<T> w(n, d, gap, spread(n * d, 1, 1));
                const Matrix<Acc> g(n, d, gap, spread(n * d, 2, 2)), h(n, d, gap, spread(n * d, 3, 3));
                const Matrix<double> of_rows(1, n, 0, spread(n, 1, 4)), of_columns(1, d, 0, spread(d, 1, 5)), parts(parts_count, d, 0);
                const Acc *gradient = kind >= 2 && kind != 4 ? g.pointer() : nullptr, *square = kind >= 4 ? h.pointer() : nullptr;
                run(module_of<T>(), "add_row_saliency_update", rows, of_rows.pointer(), w.pointer(), w.ld(), gradient, g.ld(), square, h.ld(),
                    size.rows, size.columns, kind);
                run(module_of<T>(), "column_saliency_forward", column_grid, parts.pointer(), w.pointer(), w.ld(), gradient, g.ld(), square, h.ld(),
                    size.rows, size.columns, kind);
                run(module_of<T>(), "add_column_saliency_update", elements, of_columns.pointer(), parts.pointer(), int(parts_count), size.columns);
                Values row_sums(n), column_sums(d), row_scores = of_rows.values, column_scores = of_columns.values;
                for (std::size_t i = 0; i < n * d; i++) {
                    const double counts = saliency(w.values[i], g.values[i], h.values[i], kind);
                    row_sums[i / d] += counts, column_sums[i % d] += counts;
                }
                for (std::size_t i = 0; i < n; i++)
                    row_scores[i] += std::abs(row_sums[i]);
                for (std::size_t i = 0; i < d; i++)
                    column_scores[i] += std::abs(column_sums[i]);
                CHECK_CLOSE(of_rows, row_scores, 1e-28, name + " of rows");
                CHECK_CLOSE(of_columns, column_scores, 1e-28, name + " of columns");
            }
    });
}

TEST(rows_of_a_table_collect_their_gradients_in_order) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        for (const std::size_t n : {std::size_t(1), std::size_t(33), std::size_t(700)})
            for (const std::size_t d : {1, 33, 64, 1500}) {
                if (n * d > 50000)
                    continue;
                const std::size_t vocabulary = 19;
                Values of_rows(n);
                for (std::size_t i = 0; i < n; i++)
                    of_rows[i] = double(i * i * 7 % (vocabulary - 1));
                const Matrix<int> ids(1, n, 0, of_rows);
                const Matrix<T> dy(n, d, 3, spread(n * d, 1, 1));
                const Matrix<Acc> dtable(vocabulary, d, 3, spread(vocabulary * d, 1, 2));
                run(module_of<T>(), "embed_backward", {unsigned(n), 256, 1}, dtable.pointer(), dtable.ld(), dy.pointer(), dy.ld(), ids.pointer(),
                    int(n), int(d));
                std::vector<Acc> sums(dtable.values.begin(), dtable.values.end());
                for (std::size_t i = 0; i < n * d; i++)
                    sums[std::size_t(of_rows[i / d]) * d + i % d] += Acc(dy.values[i]);
                CHECK_CLOSE(dtable, Values(sums.begin(), sums.end()), 0, std::string("embed_backward ") + Type<T>::name);
            }
    });
}

TEST(rope_turns_pairs_and_turns_them_back) {
    struct Case {
        int rows, heads, head_dim, half, gap;
    };
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        for (const Case& c : {Case{1, 1, 2, 1, 0}, {31, 3, 32, 16, 0}, {9, 5, 80, 10, 3}, {3, 2, 9, 4, 0}, {7, 4, 64, 32, 8}}) {
            const auto n = std::size_t(c.rows), half = std::size_t(c.half), head_dim = std::size_t(c.head_dim), d = head_dim * std::size_t(c.heads);
            const Matrix<T> x(n, d, std::size_t(c.gap), spread(n * d, 1, 1));
            const Matrix<Acc> cos(n + 5, half, std::size_t(c.gap), spread((n + 5) * half, 1, 2)),
                sin(n + 5, half, std::size_t(c.gap), spread((n + 5) * half, 1, 3));
            Values where(n);
            for (std::size_t i = 0; i < n; i++)
                where[i] = double(n + 4 - i);
            const Matrix<int> positions(1, n, 0, where);
            Values expected = x.values;
            for (const double direction : {1.0, -1.0}) {
                run(module_of<T>(), "rope_update", elements, x.pointer(), x.ld(), cos.pointer(), cos.ld(), sin.pointer(), sin.ld(),
                    positions.pointer(), c.rows, c.heads, c.head_dim, c.half, Acc(direction));
                for (std::size_t i = 0; i < n * d; i++)
                    if (i % head_dim < half) {
                        const double a = expected[i], b = expected[i + half];
                        const auto angle = std::size_t(where[i / d]) * half + i % head_dim;
                        expected[i] = a * cos.values[angle] - b * direction * sin.values[angle];
                        expected[i + half] = b * cos.values[angle] + a * direction * sin.values[angle];
                    }
                CHECK_CLOSE(x, expected, 2 * Type<T>::nmse, std::string("rope ") + Type<T>::name);
            }
        }
    });
}

TEST(squares_and_the_optimiser) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        const Module& module = module_of<T>();
        for (const Size& size : sizes) {
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap), count = n * d;
            const std::string name = name_of(size, Type<T>::name);
            const Matrix<T> x(n, d, gap, spread(count, 1, 1));
            const Matrix<Acc> y(n, d, gap, spread(count, 1, 2));
            run(module, "add_squares_update", elements, y.pointer(), y.ld(), x.pointer(), x.ld(), size.rows, size.columns, Acc(0.25));
            Values expected = y.values, of_rows(n);
            for (std::size_t i = 0; i < count; i++)
                expected[i] += 0.25 * x.values[i] * x.values[i], of_rows[i / d] += x.values[i] * x.values[i];
            const double total = std::accumulate(of_rows.begin(), of_rows.end(), 0.0);  // one long sum would err more than the kernel
            CHECK_CLOSE(y, expected, sizeof(T) == 8 ? 1e-28 : 1e-13, "add_squares " + name);
            const Matrix<double> parts(1, 3, 0), sum(1, 1, 0);
            run(module, "sum_of_squares_forward", elements, parts.pointer(), x.pointer(), x.ld(), size.rows, size.columns);
            run(module, "sum_forward", one_block, sum.pointer(), parts.pointer(), 3);
            CHECK_CLOSE(sum, Values{total}, 1e-28, "sum_of_squares " + name);

            Values squares = spread(count, 1, 5);
            for (double& value : squares)
                value *= value;
            const Matrix<T> w(n, d, gap, spread(count, 1, 3)), m(n, d, gap, spread(count, 1, 4)), v(n, d, gap, squares),
                g(n, d, gap, spread(count, 2, 6));
            const double rate = 0.03, beta1 = 0.8, beta2 = 0.95, eps = 1e-3, decay = 0.2, scale = 0.4;
            const int step = 7;
            run(module, "adamw_update", elements, w.pointer(), w.ld(), g.pointer(), g.ld(), m.pointer(), m.ld(), v.pointer(), v.ld(), size.rows,
                size.columns, Acc(scale), Acc(1 - beta1), Acc(beta2), Acc(1 - beta2), Acc(1 - rate * decay), Acc(rate / (1 - std::pow(beta1, step))),
                Acc(1 / std::sqrt(1 - std::pow(beta2, step))), Acc(eps));
            Values weight = w.values, mean = m.values, square = v.values;
            for (std::size_t i = 0; i < count; i++) {
                const double gradient = scale * g.values[i];
                mean[i] = beta1 * mean[i] + (1 - beta1) * gradient;
                square[i] = beta2 * square[i] + (1 - beta2) * gradient * gradient;
                weight[i] = weight[i] * (1 - rate * decay) -
                            rate * mean[i] / (1 - std::pow(beta1, step)) / (std::sqrt(square[i] / (1 - std::pow(beta2, step))) + eps);
            }
            CHECK_CLOSE(w, weight, Type<T>::nmse, "adamw w " + name);
            CHECK_CLOSE(m, mean, 4 * Type<T>::nmse, "adamw m " + name);
            CHECK_CLOSE(v, square, Type<T>::nmse, "adamw v " + name);
        }
    });
}

TEST(a_covariance_stays_symmetric) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        for (const std::size_t n : {1, 31, 70, 96}) {
            Values start = spread(n * n, 1, 1);
            for (std::size_t i = 0; i < n * n; i++)
                start[i] = start[std::max(i / n, i % n) * n + std::min(i / n, i % n)];
            const Matrix<double> h(n, n, 3, start);
            const Matrix<Acc> c(n, n, 1, spread(n * n, 1, 2));
            run(module_of<T>(), "gram_update", elements, h.pointer(), h.ld(), c.pointer(), c.ld(), int(n));
            for (std::size_t i = 0; i < n * n; i++)
                start[i] += c.values[std::max(i / n, i % n) * n + std::min(i / n, i % n)];
            CHECK_CLOSE(h, start, 0, "gram");
        }
    });
}
