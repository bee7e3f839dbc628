// Operators of text encoders on the host.
#pragma once

#include <algorithm>

#include "weft/backend/host/attention.hpp"
#include "weft/backend/host/linear.hpp"
#include "weft/backend/text_operators.hpp"

namespace weft::inline v0_1::host {

/// Adds a linear layer of x (rows, in) to the stream (rows, out).
inline void add_linear(Queue& queue, In<float, 2> x, const LinearWeights<float>& weights,
                       View<float, 2> stream) {
  linear(queue, x, weights, stream, {.residual = stream});
}

namespace detail {

/// Turns the products of query `token` of a head with all keys into the weights of their values.
inline void weigh_keys(View<float, 1> products, const TextScores& scores, Index head, Index token) {
  const Index keys = scores.is_causal ? std::min(token + 1, products.size()) : products.size();
  const View<float, 1> seen = products.slice<0>({0, keys});
  for (Index key = 0; key < keys; ++key) seen[key] *= scores.scale;
  if (!scores.bias.empty()) {
    const Index tokens = (scores.bias.extent[1] + 1) / 2;
    const float* const of_keys = scores.bias[head].data + tokens - 1 - token;
    for (Index key = 0; key < keys; ++key) seen[key] += of_keys[key];
  }
  const float highest = detail::highest(seen);
  for (Index key = 0; key < keys; ++key) seen[key] -= highest;
  exponentiate(seen);
  const float sum = detail::sum(seen);
  for (Index key = 0; key < keys; ++key) seen[key] /= sum;
  std::fill(products.data + keys, products.data + products.size(), 0.0f);
}

}  // namespace detail

/// Computes softmax(scores) · v for every head: q, out (tokens, heads, head_dim); k, v
/// (keys, heads, head_dim), one key at least, those of the first tokens.
inline void text_attention(Queue& queue, In<float, 3> q, In<float, 3> k, In<float, 3> v,
                           const TextScores& scores, View<float, 3> out) {
  const auto [tokens, heads, head_dim] = out.extent;
  const Index keys = k.extent[0], most = detail::attention_rows, tiles = (tokens + most - 1) / most;
  const auto head_of = []<class T>(const View<T, 3>& x, Index head, Range rows) {
    return View<T, 2>(x.data + rows.begin * x.stride[0] + head * x.stride[1], {rows.size(), x.extent[2]},
                      {x.stride[0], 1});
  };
  queue.workers().parallel_for(
      tiles * heads, 1,
      [&q, &k, &v, &scores, &out, &head_of, tokens = tokens, heads = heads, keys, most](Range items) {
        detail::Matrix memory(most, keys);
        for (Index item = items.begin; item < items.end; ++item) {
          const Index head = item % heads, first = item / heads * most;
          const Range rows{first, std::min(first + most, tokens)};
          const View<float, 2> weights(memory.data(), {rows.size(), keys});
          detail::multiply_transposed(head_of(q, head, rows), head_of(k, head, {0, keys}), weights);
          for (Index r = 0; r < rows.size(); ++r) detail::weigh_keys(weights[r], scores, head, first + r);
          detail::multiply(weights, head_of(v, head, {0, keys}), head_of(out, head, rows));
        }
      });
}

}  // namespace weft::inline v0_1::host
