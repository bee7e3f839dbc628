#include "weft/backend/host/attention.hpp"

#include <doctest/doctest.h>

#include <utility>

#include "strided.hpp"

using weft::Range;
using weft::host::Queue;

namespace {

struct Inputs {
  Strided<4> q, k, v;  // (tokens, pictures, heads, head_dim)

  Inputs(Index queries, Index keys, Index pictures = 2, Index heads = 3, Index head_dim = 11, Index gap = 2)
      : q(Strided<4>::random(1, {queries, pictures, heads, head_dim}, gap)),
        k(Strided<4>::random(2, {keys, pictures, heads, head_dim}, gap + 1)),
        v(Strided<4>::random(3, {keys, pictures, heads, head_dim}, 0)) {}

  std::vector<double> logits(Index t, Index p, Index h) const {
    std::vector<double> out;
    const auto query = q.view()[t][p][h];
    for (Index j = 0; j < k.view().extent[0]; ++j) {
      double sum = 0;
      for (Index d = 0; d < query.size(); ++d) sum += static_cast<double>(query[d]) * k.view()[j][p][h][d];
      out.push_back(sum / std::sqrt(static_cast<double>(query.size())));
    }
    return out;
  }

  double lse(Index t, Index p, Index h) const {
    double sum = 0;
    for (const double logit : logits(t, p, h)) sum += std::exp(logit);
    return std::log(sum);
  }
  auto expected_lse() const {
    return [this](Index t, Index p, Index h) { return lse(t, p, h); };
  }

  auto expected() const {
    const auto [tokens, pictures, heads, head_dim] = q.view().extent;
    Strided<4, double> sums(q.view().extent);
    for (Index t = 0; t < tokens; ++t)
      for (Index p = 0; p < pictures; ++p)
        for (Index h = 0; h < heads; ++h) {
          const std::vector<double> all = logits(t, p, h);
          const double total = lse(t, p, h);
          for (Index d = 0; d < head_dim; ++d) {
            double& sum = sums.view()[t][p][h][d] = 0;
            for (std::size_t j = 0; j < all.size(); ++j)
              sum += std::exp(all[j] - total) * v.view()[static_cast<Index>(j)][p][h][d];
          }
        }
    return [sums](Index t, Index p, Index h, Index d) { return sums.view()[t][p][h][d]; };
  }
};

}  // namespace

TEST_CASE("attention: softmax of the products, at odd sizes and strides") {
  for (const int workers : worker_counts)
    for (const Index queries : {0, 1, 63, 65, 130})
      for (const Index keys : {1, 7, 70}) {
        Queue queue(workers);
        const Inputs in(queries, keys, 1 + queries % 2, 2);
        Strided<4> out(in.q.view().extent, 3);
        Strided<3> lse({queries, 1 + queries % 2, 2}, 1);
        attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view(), lse.view());
        CHECK(error(out.view(), in.expected()) < rounding);
        CHECK(error(lse.view(), in.expected_lse()) < rounding);
        CHECK(out.gaps_untouched());
        CHECK(lse.gaps_untouched());
      }
}

TEST_CASE("attention: head_dim 1 and 88, with and without the log-sum-exp") {
  for (const Index head_dim : {1, 88}) {
    Queue queue;
    const Inputs in(9, 17, 1, 1, head_dim);
    Strided<4> out({9, 1, 1, head_dim});
    attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view());
    CHECK(error(out.view(), in.expected()) < rounding);
  }
}

TEST_CASE("attention: large logits do not overflow") {
  Queue queue;
  Inputs in(4, 5);
  for (Index p = 0; p < 2; ++p)
    for (Index h = 0; h < 3; ++h)
      for (Index d = 0; d < 11; ++d) in.q.view()[1][p][h][d] *= 100, in.q.view()[2][p][h][d] *= -100;
  Strided<4> out({4, 2, 3, 11});
  Strided<3> lse({4, 2, 3});
  attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view(), lse.view());
  CHECK(error(out.view(), in.expected()) < 1e-3);
  CHECK(error(lse.view(), in.expected_lse()) < rounding);
}

TEST_CASE("attention: without keys it is 0, and its log-sum-exp −∞") {
  for (const int workers : worker_counts) {
    Queue queue(workers);
    const Inputs in(70, 0);
    Strided<4> out({70, 2, 3, 11}, 2);
    Strided<3> lse({70, 2, 3}, 1);
    attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view(), lse.view());
    CHECK(error(out.view(), [](Index, Index, Index, Index) { return 0; }) == 0);
    CHECK(error(lse.view(), [](Index, Index, Index) { return -INFINITY; }) == 0);
    CHECK(out.gaps_untouched());
    attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view());
  }
}

TEST_CASE("attention: parts of the keys merge into attention over all of them, empty parts too") {
  for (const int workers : worker_counts)
    for (const std::vector<Range>& parts : {std::vector<Range>{{0, 5}, {5, 6}, {6, 23}},
                                            {{0, 0}, {0, 11}, {11, 23}},
                                            {{0, 23}, {23, 23}},
                                            {{0, 0}, {0, 0}, {0, 23}}}) {
      Queue queue(workers);
      const Inputs in(60, 23);
      Strided<4> out({60, 2, 3, 11}, 1);
      Strided<3> lse({60, 2, 3}, 1);
      auto output = weft::Output::replace;
      for (const Range& part : parts)
        attention(queue, in.q.view(), in.k.view().slice<0>(part), in.v.view().slice<0>(part), out.view(),
                  lse.view(), std::exchange(output, weft::Output::merge));
      CHECK(error(out.view(), in.expected()) < rounding);
      CHECK(error(lse.view(), in.expected_lse()) < rounding);
      CHECK(out.gaps_untouched());
      CHECK(lse.gaps_untouched());
    }
}

TEST_CASE("attention: nothing merged with nothing is nothing, and without queries nothing happens") {
  Queue queue;
  const Inputs in(3, 0), filled(3, 5);
  Strided<4> out({3, 2, 3, 11});
  Strided<3> lse({3, 2, 3});
  attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view(), lse.view());
  attention(queue, in.q.view(), in.k.view(), in.v.view(), out.view(), lse.view(), weft::Output::merge);
  attention(queue, in.q.view().slice<0>({1, 1}), filled.k.view(), filled.v.view(),
            out.view().slice<0>({1, 1}), lse.view().slice<0>({1, 1}), weft::Output::merge);
  CHECK(error(out.view(), [](Index, Index, Index, Index) { return 0; }) == 0);
  CHECK(error(lse.view(), [](Index, Index, Index) { return -INFINITY; }) == 0);
}
