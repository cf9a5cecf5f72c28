// Attention and its gradient, every way to hide keys.
#include "kernel_test.h"

using namespace test;

namespace {

struct Case {
    int batch, queries, keys, capacity, heads, kv_heads, head_dim;
};

struct Reference {
    Values y, log_sum_exp, dq, dk, dv;
};

/// Row n of a head: where its first element is.
std::size_t at(std::size_t n, int heads, int head, int head_dim) { return (n * std::size_t(heads) + std::size_t(head)) * std::size_t(head_dim); }

Reference attend(const Case& c, double scale, const Values& q, const Values& k, const Values& v, const Values* mask, const Values* first,
                 const Values& dy) {
    Reference r{Values(q.size()), Values(std::size_t(c.batch * c.heads * c.queries), -INFINITY), Values(q.size()), Values(k.size()),
                Values(v.size())};
    const auto dims = std::size_t(c.head_dim);
    for (int b = 0; b < c.batch; b++)
        for (int h = 0; h < c.heads; h++)
            for (int i = 0; i < c.queries; i++) {
                const std::size_t query = at(std::size_t(b * c.queries + i), c.heads, h, c.head_dim);
                std::vector<std::size_t> seen;
                Values p;
                double largest = -INFINITY, sum = 0, delta = 0;
                for (int j = 0; j <= c.keys - c.queries + i; j++)
                    if ((first == nullptr || j >= (*first)[std::size_t(b * c.queries + i)]) &&
                        (mask == nullptr || (*mask)[std::size_t(b * c.keys + j)] != 0)) {
                        seen.push_back(at(std::size_t(b * c.capacity + j), c.kv_heads, h / (c.heads / c.kv_heads), c.head_dim));
                        p.push_back(0);
                        for (std::size_t d = 0; d < dims; d++)
                            p.back() += scale * q[query + d] * k[seen.back() + d];
                        largest = std::max(largest, p.back());
                    }
                for (const double s : p)
                    sum += std::exp(s - largest);
                if (!p.empty())
                    r.log_sum_exp[std::size_t((b * c.heads + h) * c.queries + i)] = largest + std::log(sum);
                for (std::size_t j = 0; j < p.size(); j++) {
                    p[j] = std::exp(p[j] - largest) / sum;
                    for (std::size_t d = 0; d < dims; d++)
                        r.y[query + d] += p[j] * v[seen[j] + d], delta += p[j] * v[seen[j] + d] * dy[query + d];
                }
                for (std::size_t j = 0; j < p.size(); j++) {
                    double dp = 0;
                    for (std::size_t d = 0; d < dims; d++)
                        dp += dy[query + d] * v[seen[j] + d];
                    for (std::size_t d = 0; d < dims; d++) {
                        r.dv[seen[j] + d] += p[j] * dy[query + d];
                        r.dq[query + d] += scale * p[j] * (dp - delta) * k[seen[j] + d];
                        r.dk[seen[j] + d] += scale * p[j] * (dp - delta) * q[query + d];
                    }
                }
            }
    return r;
}

template <class T> void check(const Case& c, bool tensor_cores, bool masked, bool documents, std::size_t gap) {
    const auto width = std::size_t(c.heads * c.head_dim), kv_width = std::size_t(c.kv_heads * c.head_dim), batch = std::size_t(c.batch);
    const auto queries = std::size_t(c.queries), keys = std::size_t(c.keys), capacity = std::size_t(c.capacity);
    Values hidden(batch * keys), starts(batch * queries);
    for (std::size_t i = 0; i < hidden.size(); i++)
        hidden[i] = i % keys >= std::min(keys - 1, 5 * (i / keys) + 2) && i % keys % 13 != 12;
    for (std::size_t i = 0; i < starts.size(); i++) {
        const std::size_t position = keys - queries + i % queries, document = 40 * (i / queries) + 13;
        starts[i] = i % queries % 17 == 16 ? double(keys) : double(position / document * document);
    }
    const Matrix<int> mask(batch, keys, gap, hidden), first(batch, queries, gap, starts);
    const Matrix<T> q(batch * queries, width, gap, spread(batch * queries * width, 1, 1)),
        k(batch * capacity, kv_width, gap, spread(batch * capacity * kv_width, 1, 2));
    const Matrix<T> v(batch * capacity, kv_width, gap, spread(batch * capacity * kv_width, 1, 3)),
        dy(batch * queries, width, gap, spread(batch * queries * width, 1, 4));
    const Matrix<T> y(batch * queries, width, gap), dq(batch * queries, width, gap), dk(batch * capacity, kv_width, gap),
        dv(batch * capacity, kv_width, gap);
    const auto heads = std::size_t(c.heads);
    const Matrix<float> log_sum_exp(batch * heads, queries, gap), delta(batch * heads, queries, gap);
    const float scale = float(1 / std::sqrt(double(c.head_dim)));
    const Reference expected =
        attend(c, scale, q.values, k.values, v.values, masked ? &mask.values : nullptr, documents ? &first.values : nullptr, dy.values);
    const int *m = masked ? mask.pointer() : nullptr, *f = documents ? first.pointer() : nullptr;
    const Module& module = module_of<T>(c.head_dim, tensor_cores);
    const std::string name = std::string(Type<T>::name) + " " + std::to_string(c.batch) + "x" + std::to_string(c.queries) + " of " +
                             std::to_string(c.keys) + " keys, " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " heads of " +
                             std::to_string(c.head_dim) + (masked ? ", masked" : "") + (documents ? ", documents" : "");
    const double nmse = sizeof(T) == 4 ? 1e-12 : 2 * Type<T>::nmse;
    const unsigned tile = tensor_cores && c.head_dim > 128 ? 32 : 64, tiles = (unsigned(c.queries) + tile - 1) / tile;
    const unsigned threads = tensor_cores ? 128 : 256;
    run(module, "attention_forward", {tiles, threads, unsigned(c.heads), unsigned(c.batch)}, y.pointer(), y.ld(), log_sum_exp.pointer(),
        log_sum_exp.ld(), q.pointer(), q.ld(), k.pointer(), k.ld(), v.pointer(), v.ld(), m, mask.ld(), f, first.ld(), c.queries, c.keys, c.capacity,
        c.heads, c.kv_heads, scale);
    CHECK_CLOSE(y, expected.y, nmse, name);
    CHECK_CLOSE(log_sum_exp, expected.log_sum_exp, 1e-12, name + " log_sum_exp");
    if (c.queries == 1) {
        const unsigned parts = 3;
        const Matrix<T> y_parts(parts, batch * width, 0), merged(batch, width, gap);
        const Matrix<float> log_parts(parts, batch * heads, 0), of_all(batch * heads, 1, gap);
        run(module, "attention_step_forward", {parts, threads, unsigned(c.kv_heads), unsigned(c.batch)}, y_parts.pointer(), log_parts.pointer(),
            q.pointer(), q.ld(), k.pointer(), k.ld(), v.pointer(), v.ld(), m, mask.ld(), f, first.ld(), c.keys, c.capacity, c.heads, c.kv_heads,
            scale);
        run(module, "attention_merge_forward", elements, merged.pointer(), merged.ld(), of_all.pointer(), of_all.ld(), y_parts.pointer(),
            log_parts.pointer(), int(parts), c.batch, c.heads);
        CHECK_CLOSE(merged, expected.y, 2 * nmse, name + " in parts");
        CHECK_CLOSE(of_all, expected.log_sum_exp, 1e-12, name + " in parts, log_sum_exp");
    }
    if (c.queries != c.capacity)
        return;
    run(module, "attention_delta_backward", elements, delta.pointer(), delta.ld(), dy.pointer(), dy.ld(), y.pointer(), y.ld(), c.batch, c.queries,
        c.heads);
    run(module, "attention_keys_backward", {tiles, threads, unsigned(c.kv_heads), unsigned(c.batch)}, dk.pointer(), dk.ld(), dv.pointer(), dv.ld(),
        dy.pointer(), dy.ld(), log_sum_exp.pointer(), log_sum_exp.ld(), delta.pointer(), delta.ld(), q.pointer(), q.ld(), k.pointer(), k.ld(),
        v.pointer(), v.ld(), m, mask.ld(), f, first.ld(), c.keys, c.heads, c.kv_heads, scale);
    run(module, "attention_queries_backward", {tiles, threads, unsigned(c.heads), unsigned(c.batch)}, dq.pointer(), dq.ld(), dy.pointer(), dy.ld(),
        log_sum_exp.pointer(), log_sum_exp.ld(), delta.pointer(), delta.ld(), q.pointer(), q.ld(), k.pointer(), k.ld(), v.pointer(), v.ld(), m,
        mask.ld(), f, first.ld(), c.keys, c.heads, c.kv_heads, scale);
    CHECK_CLOSE(dv, expected.dv, nmse, name + " dv");
    CHECK_CLOSE(dk, expected.dk, nmse, name + " dk");
    CHECK_CLOSE(dq, expected.dq, nmse, name + " dq");
}

template <class T> void check_all(bool tensor_cores, const std::vector<Case>& cases) {
    const Session session;
    for (const Case& c : cases)
        for (const char* order : {"forward", "reverse", "7"}) {
            const Configured configured("CUDASIM_ORDER", order, "forward");
            check<T>(c, tensor_cores, false, false, 0);
            check<T>(c, tensor_cores, true, false, 8);
            check<T>(c, tensor_cores, true, true, 3);
        }
}

}  // namespace

TEST(attention_of_any_head_size) {
    check_all<float>(false, {{1, 1, 1, 1, 1, 1, 1},
                             {2, 1, 33, 40, 4, 2, 32},
                             {2, 1, 257, 300, 8, 1, 32},
                             {3, 31, 31, 31, 3, 3, 20},
                             {2, 33, 47, 50, 6, 2, 33},
                             {1, 65, 129, 130, 2, 2, 16},
                             {1, 70, 70, 70, 2, 1, 80},
                             {1, 130, 130, 130, 2, 1, 128}});
    check_all<Bf16>(false, {{2, 33, 33, 33, 4, 2, 20}});
}

TEST(attention_on_tensor_cores) {
    const std::vector<Case> cases = {{1, 1, 1, 1, 1, 1, 16},       {2, 1, 33, 40, 4, 2, 32},     {2, 1, 257, 300, 8, 1, 32},
                                     {3, 31, 31, 31, 3, 3, 80},    {2, 65, 129, 130, 4, 2, 64},  {1, 70, 70, 70, 2, 1, 128},
                                     {1, 130, 130, 130, 4, 2, 96}, {1, 200, 200, 200, 1, 1, 112},
                                     {1, 1, 70, 80, 2, 1, 160},    {1, 70, 70, 70, 2, 1, 192},    {2, 33, 47, 50, 2, 2, 224},
                                     {1, 65, 65, 65, 2, 1, 256}};
    check_all<Bf16>(true, cases);
    check_all<Half>(true, {{2, 33, 47, 50, 4, 2, 64}, {2, 65, 65, 65, 2, 1, 48}});
}
