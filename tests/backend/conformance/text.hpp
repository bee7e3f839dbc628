// Conformance of the operators on texts, against float64.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "norm.hpp"
#include "placed.hpp"
#include "weft/backend/text_operators.hpp"

namespace conformance {

struct TextAttentionCase {
  Index tokens, keys, heads, head_dim;
  bool has_bias, is_causal;
};

template <class B>
void check_text_attention(typename B::Queue& queue, const TextAttentionCase& is) {
  using E = typename B::Element;
  constexpr float scale = 0.4f;
  const auto q = Placed<B, E, 3>::random(queue, 71, {is.tokens, is.heads, is.head_dim}, 8),
             k = Placed<B, E, 3>::random(queue, 72, {is.keys, is.heads, is.head_dim}, 16),
             v = Placed<B, E, 3>::random(queue, 73, {is.keys, is.heads, is.head_dim});
  const auto bias = Placed<B, float, 2>::random(queue, 74, {is.heads, 2 * is.tokens - 1}, 3, 2);
  Placed<B, E, 3> out(queue, {is.tokens, is.heads, is.head_dim}, 8);
  weft::TextScores scores{.scale = scale, .is_causal = is.is_causal};
  if (is.has_bias) scores.bias = bias.view();
  text_attention(queue, q.view(), k.view(), v.view(), scores, out.view());

  const auto wanted = [&](Index token, Index head) {
    std::vector<double> sums(static_cast<std::size_t>(is.head_dim));
    double total = 0;
    for (Index key = 0; key < (is.is_causal ? std::min(token + 1, is.keys) : is.keys); ++key) {
      double score = 0;
      for (Index d = 0; d < is.head_dim; ++d)
        score += number(scale) * number(q.before()[token][head][d]) * number(k.before()[key][head][d]);
      if (is.has_bias) score += number(bias.before()[head][key - token + is.tokens - 1]);
      const double weight = std::exp(score);
      total += weight;
      for (Index d = 0; d < is.head_dim; ++d)
        sums[static_cast<std::size_t>(d)] += weight * number(v.before()[key][head][d]);
    }
    for (double& sum : sums) sum /= total;
    return sums;
  };
  std::vector<double> sums;
  CHECK(error(out.after(queue), [&](Index token, Index head, Index d) {
          if (d == 0) sums = wanted(token, head);
          return sums[static_cast<std::size_t>(d)];
        }) <= 2 * rounding<E>);
  CHECK(out.gaps_untouched());
}

TEST_CASE_TEMPLATE_DEFINE("text_attention: with a bias by distance, without later keys, without padding", B,
                          text_attention_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const bool has_bias : {false, true})
      for (const bool is_causal : {false, true})
        for (const Index tokens : {1, 5, 64, 130})
          for (const Index keys : {Index{1}, (tokens + 1) / 2, tokens})
            for (const auto& [heads, head_dim] : {std::pair{3, 4}, std::pair{2, 64}}) {
              CAPTURE(has_bias);
              CAPTURE(is_causal);
              CAPTURE(tokens);
              CAPTURE(keys);
              check_text_attention<B>(queue, {tokens, keys, heads, head_dim, has_bias, is_causal});
            }
  });
}

TEST_CASE_TEMPLATE_DEFINE("add_linear: a layer's outputs are added to the stream, with or without a bias", B,
                          add_linear_conformance) {
  using E = typename B::Element;
  using Extents = std::array<Index, 3>;  // rows, inputs, outputs
  on_queues<B>([](typename B::Queue& queue) {
    for (const auto& [rows, inputs, outputs] : {Extents{0, 8, 6}, {1, 18, 6}, {5, 20, 34}, {40, 72, 40}})
      for (const bool has_bias : {false, true}) {
        CAPTURE(rows);
        CAPTURE(has_bias);
        const auto x = Placed<B, E, 2>::random(queue, 75, {rows, inputs}, gap<E>);
        const auto weight = Placed<B, E, 2>::random(queue, 76, {outputs, inputs}, gap<E>,
                                                    1 / std::sqrt(static_cast<double>(inputs)));
        const auto bias = Placed<B, E, 1>::random(queue, 77, {outputs});
        auto stream = Placed<B, float, 2>::random(queue, 78, {rows, outputs}, gap<float>, 3000);
        weft::LinearWeights<E> layer{.weight = weight.view()};
        if (has_bias) layer.bias = bias.view();
        add_linear(queue, x.view(), layer, stream.view());
        const auto wanted = [&](Index r, Index o) {
          double sum = number(stream.before()[r][o]) + (has_bias ? number(bias.before()[o]) : 0);
          for (Index i = 0; i < inputs; ++i) sum += number(x.before()[r][i]) * number(weight.before()[o][i]);
          return sum;
        };
        CHECK(error(stream.after(queue), wanted) <= rounding<float>);
        CHECK(stream.gaps_untouched());
      }
  });
}

TEST_CASE_TEMPLATE_DEFINE("norm: of the stream, into elements", B, norm_stream_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const auto kind : {weft::NormKind::layer, weft::NormKind::rms})
      for (const Index tokens : {0, 1, 37})
        for (const Index features : {12, 256, 4096}) {
          CAPTURE(features);
          const Affine<B> affine(queue, features, kind);
          const auto x = Placed<B, float, 3>::random(queue, 79, {tokens, 1, features}, 0, 100);
          Placed<B, E, 3> out(queue, {tokens, 1, features}, 8);
          const weft::NormWeights weights = affine.weights(Affine<B>::both);
          norm(queue, x.view(), weights, {}, out.view());
          std::vector<double> row;
          CHECK(error(out.after(queue), [&](Index t, Index image, Index f) {
                  if (f == 0) {
                    row.clear();
                    append(row, x.before()[t][image]);
                    row = normed(row, weights);
                  }
                  return affine.applied(Affine<B>::both, row[static_cast<std::size_t>(f)], f);
                }) <= 2 * rounding<E>);
          CHECK(out.gaps_untouched());
        }
  });
}

}  // namespace conformance
