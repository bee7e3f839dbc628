// Norms on the host: over features, over the features of two tensors, over heads with rotation.
#pragma once

#include <cmath>

#include "weft/backend/host/copy.hpp"
#include "weft/backend/host/linear.hpp"

namespace weft::host {

namespace detail {

struct Moments {
  float mean, deviation;
};

/// Of all numbers of the given arrays together.
template <class... Arrays>
Moments moments(float epsilon, const Arrays&... x) {
  const auto count = static_cast<float>((x.size() + ...));
  const float mean = (x.sum() + ...) / count;
  const float variance = ((x - mean).square().sum() + ...) / count;
  return {mean, std::sqrt(variance + epsilon)};
}

inline void affine(const NormWeights& norm, Range features, View<float, 1> row) {
  auto out = mapped(row);
  if (!norm.scale.empty()) out *= mapped(norm.scale.slice<0>(features));
  if (!norm.shift.empty()) out += mapped(norm.shift.slice<0>(features));
}

}  // namespace detail

/// LayerNorm over features, then a picture's own modulation: x → out, both (tokens, pictures, features).
inline void norm(Queue& queue, In<float, 3> x, const NormWeights& weights, const Modulation& modulation,
                 View<float, 3> out) {
  const Index pictures = out.extent[1];
  queue.workers().split(out.extent[0], 16, [&](Range tokens) {
    for (Index i = tokens.begin * pictures; i < tokens.end * pictures; ++i) {
      const Index token = i / pictures, picture = i % pictures;
      const auto in = detail::mapped(x[token][picture]);
      const auto [mean, deviation] = detail::moments(weights.epsilon, in);
      const View<float, 1> row = out[token][picture];
      auto result = detail::mapped(row);
      result = (in - mean) / deviation;
      detail::affine(weights, {0, row.size()}, row);
      if (!modulation.scale.empty()) result *= 1 + detail::mapped(modulation.scale[picture]);
      if (!modulation.shift.empty()) result += detail::mapped(modulation.shift[picture]);
    }
  });
}

/// LayerNorm over the features of x and of skip, as if they stood side by side: both
/// (tokens, pictures, features) → out (tokens, pictures, 2 · features).
inline void norm_pair(Queue& queue, In<float, 3> x, In<float, 3> skip, const NormWeights& weights,
                      View<float, 3> out) {
  const Index pictures = out.extent[1], features = x.extent[2];
  queue.workers().split(out.extent[0], 16, [&](Range tokens) {
    for (Index i = tokens.begin * pictures; i < tokens.end * pictures; ++i) {
      const Index token = i / pictures, picture = i % pictures;
      const auto first = detail::mapped(x[token][picture]), second = detail::mapped(skip[token][picture]);
      const auto [mean, deviation] = detail::moments(weights.epsilon, first, second);
      const View<float, 1> row = out[token][picture];
      detail::mapped(row.slice<0>({0, features})) = (first - mean) / deviation;
      detail::mapped(row.slice<0>({features, 2 * features})) = (second - mean) / deviation;
      detail::affine(weights, {0, row.size()}, row);
    }
  });
}

/// LayerNorm over every head, unless `weights` is null, then the rotation of its token: x → out, both
/// (tokens, pictures, heads, head_dim). May be in place.
inline void norm_rotate(Queue& queue, In<float, 4> x, const NormWeights* weights, const Rotation& rotation,
                        View<float, 4> out) {
  const auto [tokens, pictures, heads, head_dim] = out.extent;
  queue.workers().split(
      tokens, 16, [&, pictures = pictures, heads = heads, head_dim = head_dim](Range range) {
        for (Index i = range.begin * pictures * heads; i < range.end * pictures * heads; ++i) {
          const Index token = i / (pictures * heads), picture = i / heads % pictures, head = i % heads;
          const auto in = detail::mapped(x[token][picture][head]);
          const View<float, 1> row = out[token][picture][head];
          if (weights) {
            const auto [mean, deviation] = detail::moments(weights->epsilon, in);
            detail::mapped(row) = (in - mean) / deviation;
            detail::affine(*weights, {0, head_dim}, row);
          } else {
            detail::mapped(row) = in;
          }
          if (rotation.cos.empty()) continue;
          const View<const float, 1> cos = rotation.cos[token], sin = rotation.sin[token];
          for (Index d = 0; d + 1 < head_dim; d += 2) {
            const float even = row[d], odd = row[d + 1];
            row[d] = even * cos[d] - odd * sin[d];
            row[d + 1] = odd * cos[d + 1] + even * sin[d + 1];
          }
        }
      });
}

/// Every head of a unit's tokens to where attention reads it: q and k normed and rotated, v as it is.
/// All (tokens, pictures, heads, head_dim).
inline void place_heads(Queue& queue, const Heads<float>& heads, View<float, 4> q, View<float, 4> k,
                        View<float, 4> v) {
  norm_rotate(queue, heads.q, heads.q_norm, heads.rotation, q);
  norm_rotate(queue, heads.k, heads.k_norm, heads.rotation, k);
  copy(queue, heads.v, v);
}

}  // namespace weft::host
