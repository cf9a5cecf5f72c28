#include "factorisations.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cudasim {

namespace {

constexpr int max_sweeps = 30;

double off_diagonal(const Dense& a) {
    double sum = 0;
    for (std::int64_t j = 0; j < a.columns; j++)
        for (std::int64_t i = 0; i < j; i++)
            sum += a(i, j) * a(i, j);
    return sum;
}

/// (x, y) = (c x - s y, s x + c y)
__attribute__((target_clones("avx512f", "fma", "default"))) void rotate(double* __restrict x, double* __restrict y, std::int64_t n, double c,
                                                                        double s) {
    for (std::int64_t i = 0; i < n; i++) {
        const double u = x[i], v = y[i];
        x[i] = c * u - s * v, y[i] = s * u + c * v;
    }
}

/// One rotation that makes a(p, q) zero (Golub and Van Loan, 8.5): columns p and q, then the rows, which are the same by symmetry.
void annihilate(Dense& a, Dense& vectors, std::int64_t p, std::int64_t q) {
    const double theta = (a(q, q) - a(p, p)) / (2 * a(p, q));
    const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1.0));
    const double c = 1 / std::hypot(t, 1.0), s = t * c, app = a(p, p), aqq = a(q, q), apq = a(p, q);
    rotate(a.column(p), a.column(q), a.rows, c, s);
    a(p, p) = app - t * apq, a(q, q) = aqq + t * apq;
    a(p, q) = a(q, p) = 0;
    for (std::int64_t i = 0; i < a.rows; i++)
        if (i != p && i != q)
            a(p, i) = a(i, p), a(q, i) = a(i, q);
    rotate(vectors.column(p), vectors.column(q), a.rows, c, s);
}

}  // namespace

Eigen symmetric_eigen(Dense a) {
    const std::int64_t n = a.rows;
    Eigen result{std::vector<double>(static_cast<std::size_t>(n)), Dense(n, n), false};
    Dense vectors(n, n);
    double norm = 0;
    for (std::int64_t i = 0; i < n; i++)
        vectors(i, i) = 1;
    for (const double value : a.values)
        norm += value * value;
    for (int sweep = 0; sweep < max_sweeps && !result.converged; sweep++) {
        for (std::int64_t q = 1; q < n; q++)
            for (std::int64_t p = 0; p < q; p++)
                if (std::abs(a(p, q)) > 1e-18 * std::sqrt(norm))
                    annihilate(a, vectors, p, q);
        result.converged = off_diagonal(a) <= 1e-30 * norm;
    }

    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) { return a(i, i) < a(j, j); });
    for (std::int64_t j = 0; j < n; j++) {
        const std::int64_t from = order[static_cast<std::size_t>(j)];
        result.values[static_cast<std::size_t>(j)] = a(from, from);
        std::copy_n(vectors.column(from), n, result.vectors.column(j));
    }
    return result;
}

std::int64_t cholesky(Dense& a) {
    for (std::int64_t j = 0; j < a.columns; j++) {
        double pivot = a(j, j);
        for (std::int64_t k = 0; k < j; k++)
            pivot -= a(j, k) * a(j, k);
        if (!(pivot > 0))
            return j + 1;
        a(j, j) = std::sqrt(pivot);
        for (std::int64_t i = j + 1; i < a.rows; i++) {
            double sum = a(i, j);
            for (std::int64_t k = 0; k < j; k++)
                sum -= a(i, k) * a(j, k);
            a(i, j) = sum / a(j, j);
        }
    }
    return 0;
}

void cholesky_solve(const Dense& factor, Dense& b) {
    for (std::int64_t j = 0; j < b.columns; j++) {
        for (std::int64_t i = 0; i < b.rows; i++) {
            for (std::int64_t k = 0; k < i; k++)
                b(i, j) -= factor(i, k) * b(k, j);
            b(i, j) /= factor(i, i);
        }
        for (std::int64_t i = b.rows - 1; i >= 0; i--) {
            for (std::int64_t k = i + 1; k < b.rows; k++)
                b(i, j) -= factor(k, i) * b(k, j);
            b(i, j) /= factor(i, i);
        }
    }
}

namespace {

/// Column j of a, from row `from` on, minus tau v (v . column), v in column k of the reflectors below row k.
void reflect(Dense& a, std::int64_t j, const Dense& reflectors, std::int64_t k, double tau) {
    double dot = a(k, j);
    for (std::int64_t i = k + 1; i < a.rows; i++)
        dot += reflectors(i, k) * a(i, j);
    a(k, j) -= tau * dot;
    for (std::int64_t i = k + 1; i < a.rows; i++)
        a(i, j) -= tau * dot * reflectors(i, k);
}

}  // namespace

std::vector<double> householder_qr(Dense& a) {
    std::vector<double> tau;
    for (std::int64_t k = 0; k < std::min(a.rows, a.columns); k++) {
        double below = 0;
        for (std::int64_t i = k + 1; i < a.rows; i++)
            below = std::hypot(below, a(i, k));
        const double alpha = a(k, k);
        if (below == 0) {
            tau.push_back(0);
            continue;
        }
        const double beta = -std::copysign(std::hypot(alpha, below), alpha);
        tau.push_back((beta - alpha) / beta);
        for (std::int64_t i = k + 1; i < a.rows; i++)
            a(i, k) /= alpha - beta;
        for (std::int64_t j = k + 1; j < a.columns; j++)
            reflect(a, j, a, k, tau.back());
        a(k, k) = beta;
    }
    return tau;
}

void householder_q(Dense& a, const std::vector<double>& tau) {
    Dense q(a.rows, a.columns);
    for (std::int64_t j = 0; j < a.columns; j++)
        q(j, j) = 1;
    for (auto k = static_cast<std::int64_t>(tau.size()) - 1; k >= 0; k--)
        for (std::int64_t j = k; j < a.columns; j++)
            reflect(q, j, a, k, tau[static_cast<std::size_t>(k)]);
    a = q;
}

}  // namespace cudasim
