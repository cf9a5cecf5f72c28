// Norms and losses: whatever goes over rows.
#include "kernel_test.h"

using namespace test;

namespace {

struct Row {
    double mean, scale;
};

Row moments(const Values& x, std::size_t row, std::size_t d, bool centred, double width, double eps) {
    double mean = 0, squares = 0;
    for (std::size_t j = 0; centred && j < d; j++)
        mean += x[row * d + j] / width;
    for (std::size_t j = 0; j < d; j++)
        squares += std::pow(x[row * d + j] - mean, 2);
    return {mean, 1 / std::sqrt(squares / width + eps)};
}

double log_sum(const Values& x, std::size_t row, std::size_t d) {
    double largest = -INFINITY, sum = 0;
    for (std::size_t j = 0; j < d; j++)
        largest = std::max(largest, x[row * d + j]);
    for (std::size_t j = 0; j < d; j++)
        sum += std::exp(x[row * d + j] - largest);
    return largest + std::log(sum);
}

}  // namespace

TEST(norms_and_their_gradients) {
    each_type([](auto type) {
        using T = decltype(type);
        using Acc = typename Type<T>::Acc;
        const Module& module = module_of<T>();
        const double nmse = 3 * Type<T>::nmse, eps = 1e-5;
        for (const bool centred : {false, true})
            for (const bool plain : {false, true})
                for (const Size& size : sizes) {
                    if (size.columns == 1 && centred)
                        continue;  // y is 0, and a relative error says nothing
                    const std::string name = name_of(size, Type<T>::name) + (centred ? " layer_norm" : " rms_norm") + (plain ? " plain" : "");
                    const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
                    const Matrix<T> x(n, d, gap, spread(n * d, 3, 1)), dy(n, d, gap, spread(n * d, 2, 2)), dx(n, d, gap, spread(n * d, 1, 3));
                    const Matrix<T> gain(1, d, 0, spread(d, 1, 4)), bias(1, d, 0, spread(d, 1, 5)), y(n, d, gap);
                    const T *g = plain ? nullptr : gain.pointer(), *b = plain ? nullptr : bias.pointer();
                    const double width = centred ? double(d) : double(d) + 7;
                    const Matrix<Acc> stats(n, 2, 0);
                    const std::size_t parts_count = 3;
                    const Matrix<double> parts(parts_count, d, 0);
                    const Matrix<Acc> dgain(1, d, 0, spread(d, 1, 6));

                    Values expected(n * d), gradient(n * d), of_gain = dgain.values;
                    for (std::size_t i = 0; i < n; i++) {
                        const Row m = moments(x.values, i, d, centred, width, eps);
                        double total = 0, moment = 0;
                        const auto u = [&](std::size_t j) { return dy.values[i * d + j] * (plain ? 1 : gain.values[j]); };
                        for (std::size_t j = 0; j < d; j++) {
                            const double normal = (x.values[i * d + j] - m.mean) * m.scale;
                            expected[i * d + j] = plain ? normal : normal * gain.values[j] + (centred ? bias.values[j] : 0);
                            total += u(j), moment += u(j) * (x.values[i * d + j] - m.mean);
                            of_gain[j] += dy.values[i * d + j] * normal;
                        }
                        for (std::size_t j = 0; j < d; j++)
                            gradient[i * d + j] =
                                dx.values[i * d + j] + m.scale * (u(j) - (centred ? total / width : 0) -
                                                                  (x.values[i * d + j] - m.mean) * m.scale * m.scale * moment / width);
                    }
                    if (centred) {
                        run(module, "layer_norm_forward", rows, y.pointer(), y.ld(), x.pointer(), x.ld(), g, b, size.rows, size.columns, Acc(eps));
                        run(module, "layer_norm_backward", rows, dx.pointer(), dx.ld(), stats.pointer(), dy.pointer(), dy.ld(), x.pointer(), x.ld(),
                            g, size.rows, size.columns, Acc(eps));
                    } else {
                        run(module, "rms_norm_forward", rows, y.pointer(), y.ld(), x.pointer(), x.ld(), g, size.rows, size.columns, Acc(width),
                            Acc(eps));
                        run(module, "rms_norm_backward", rows, dx.pointer(), dx.ld(), stats.pointer(), dy.pointer(), dy.ld(), x.pointer(), x.ld(), g,
                            size.rows, size.columns, Acc(width), Acc(eps));
                    }
                    CHECK_CLOSE(y, expected, nmse, name);
                    CHECK_CLOSE(dx, gradient, nmse, name + " dx");
                    run(module, "norm_gain_backward", {2, 256, unsigned(parts_count)}, parts.pointer(), dy.pointer(), dy.ld(), x.pointer(), x.ld(),
                        stats.pointer(), size.rows, size.columns);
                    run(module, "add_parts_update", elements, dgain.pointer(), parts.pointer(), int(parts_count), size.columns);
                    CHECK_CLOSE(dgain, of_gain, std::min(nmse, 1e-12), name + " dgain");
                }
    });
}

TEST(losses_and_their_gradient) {
    each_type([](auto type) {
        using T = decltype(type);
        const Module& module = module_of<T>();
        const double nmse = 2 * Type<T>::nmse;
        for (const Size& size : sizes) {
            const std::string name = name_of(size, Type<T>::name);
            const auto n = std::size_t(size.rows), d = std::size_t(size.columns), gap = std::size_t(size.gap);
            Values wanted(n);
            for (std::size_t i = 0; i < n; i++)
                wanted[i] = i % 5 == 4 ? -100 : double(i * 11 % d);
            const Matrix<int> targets(1, n, 0, wanted);
            const Matrix<T> x(n, d, gap, spread(n * d, 8, 1)), y(n, d, gap), logits(n, d, gap, x.values);
            const Matrix<double> log_prob(1, n, 0), loss(1, n, 0);
            Values softmax(n * d), gradient(n * d), losses(n), log_probs(n);
            for (std::size_t i = 0; i < n; i++) {
                const double log_of_sum = log_sum(x.values, i, d);
                log_probs[i] = wanted[i] < 0 ? 0 : x.values[i * d + std::size_t(wanted[i])] - log_of_sum;
                losses[i] = -log_probs[i];
                for (std::size_t j = 0; j < d; j++) {
                    softmax[i * d + j] = std::exp(x.values[i * d + j] - log_of_sum);
                    gradient[i * d + j] = wanted[i] < 0 ? 0 : 0.37 * (softmax[i * d + j] - (j == std::size_t(wanted[i])));
                }
            }
            run(module, "softmax_forward", rows, y.pointer(), y.ld(), x.pointer(), x.ld(), size.rows, size.columns);
            CHECK_CLOSE(y, softmax, nmse, "softmax " + name);
            const double of_logs = sizeof(T) == 8 ? 1e-27 : 1e-14;
            run(module, "token_log_prob_forward", rows, log_prob.pointer(), x.pointer(), x.ld(), targets.pointer(), size.rows, size.columns);
            CHECK_CLOSE(log_prob, log_probs, of_logs, "token_log_prob " + name);
            run(module, "cross_entropy_backward", rows, loss.pointer(), logits.pointer(), logits.ld(), targets.pointer(), size.rows, size.columns,
                0.37);
            CHECK_CLOSE(loss, losses, of_logs, "loss " + name);
            CHECK_CLOSE(logits, gradient, nmse, "gradient of the logits " + name);
        }
    });
}
