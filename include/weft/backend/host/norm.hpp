// Norms on the host: over features, over the features of two tensors, over heads with rotation.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/backend/host/copy.hpp"
#include "weft/backend/host/linear.hpp"
#include "weft/backend/project_heads.hpp"

namespace weft::inline v0_1::host {

namespace detail {

/// Normalizes a row in place.
[[gnu::noinline]] inline void normalize(View<float, 1> row, const NormWeights& weights) {
  const Index features = row.size();
  if (weights.kind == NormKind::layer) {
    const float mean = sum(row) / static_cast<float>(features);
    for (Index f = 0; f < features; ++f) row[f] -= mean;
  }
  const float deviation = std::sqrt(sum_of_squares(row) / static_cast<float>(features) + weights.epsilon);
  for (Index f = 0; f < features; ++f) row[f] /= deviation;
  if (!weights.scale.empty())
    for (Index f = 0; f < features; ++f) row[f] *= weights.scale[f];
  if (!weights.shift.empty())
    for (Index f = 0; f < features; ++f) row[f] += weights.shift[f];
}

}  // namespace detail

/// Computes LayerNorm over features, then each image's modulation: x → out, both (tokens, images, features).
inline void norm(Queue& queue, In<float, 3> x, const NormWeights& weights, const Modulation& modulation,
                 View<float, 3> out) {
  const Index images = out.extent[1];
  queue.workers().parallel_for(out.extent[0], 16, [&x, &weights, &modulation, &out, images](Range tokens) {
    for (Index i = tokens.begin * images; i < tokens.end * images; ++i) {
      const Index token = i / images, image = i % images;
      const View<float, 1> row = out[token][image];
      if (x.data != out.data) std::copy_n(x[token][image].data, row.size(), row.data);
      detail::normalize(row, weights);
      detail::modulate(row, modulation, image);
    }
  });
}

/// Computes LayerNorm over the features of x and of skip, concatenated: both
/// (tokens, images, features) → out (tokens, images, 2 · features).
inline void norm_pair(Queue& queue, In<float, 3> x, In<float, 3> skip, const NormWeights& weights,
                      View<float, 3> out) {
  const Index images = out.extent[1], features = x.extent[2];
  queue.workers().parallel_for(out.extent[0], 16,
                               [&x, &skip, &weights, &out, images, features](Range tokens) {
                                 for (Index i = tokens.begin * images; i < tokens.end * images; ++i) {
                                   const Index token = i / images, image = i % images;
                                   const View<float, 1> row = out[token][image];
                                   std::copy_n(x[token][image].data, features, row.data);
                                   std::copy_n(skip[token][image].data, features, row.data + features);
                                   detail::normalize(row, weights);
                                 }
                               });
}

/// Computes LayerNorm over every head, unless `weights` is null, then rotates it by its token's angles: x →
/// out, both (tokens, images, heads, head_dim). May be in place.
inline void norm_rotate(Queue& queue, In<float, 4> x, const NormWeights* weights, const Rotation& rotation,
                        View<float, 4> out) {
  const auto [tokens, images, heads, head_dim] = out.extent;
  queue.workers().parallel_for(
      tokens, 16,
      [&x, weights, &rotation, &out, images = images, heads = heads, head_dim = head_dim](Range range) {
        for (Index i = range.begin * images * heads; i < range.end * images * heads; ++i) {
          const Index token = i / (images * heads), image = i / heads % images, head = i % heads;
          const View<const float, 1> in = x[token][image][head];
          const View<float, 1> row = out[token][image][head];
          if (in.data != row.data) std::copy_n(in.data, head_dim, row.data);
          if (weights) detail::normalize(row, *weights);
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

/// Runs all moves, whose heads are of the same images and head_dim.
inline void move_heads(Queue& queue, const std::vector<HeadMove<float>>& moves) {
  for (const HeadMove<float>& move : moves) norm_rotate(queue, move.from, move.norm, move.rotation, move.to);
}

using v0_1::detail::project_heads;

}  // namespace weft::inline v0_1::host
