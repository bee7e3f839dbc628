// Attention on the host, and the merge of attentions over parts of the keys.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/backend/host/linear.hpp"

namespace weft::host {

/// out = softmax(q · kᵀ / √head_dim) · v for every picture and head, without a mask.
/// q, out (n, pictures, heads, head_dim); k, v (keys, pictures, heads, head_dim); lse (n, pictures, heads),
/// the logarithm of the sum of exponentials, or empty. Without keys out is 0 and lse −∞.
inline void attention(Queue& queue, In<float, 4> q, In<float, 4> k, In<float, 4> v, View<float, 4> out,
                      View<float, 3> lse = {}) {
  constexpr Index tile = 64;
  const Index tokens = q.extent[0], pictures = q.extent[1], heads = q.extent[2], keys = k.extent[0];
  const Index tiles = (tokens + tile - 1) / tile;
  const float scale = 1 / std::sqrt(static_cast<float>(q.extent[3]));

  const auto head_of = [](const auto& x, Index picture, Index head, Range range) {
    auto y = x.template slice<0>(range);  // (range, pictures, heads, head_dim)
    y.data += picture * y.stride[1] + head * y.stride[2];
    return detail::mapped(View<std::remove_pointer_t<decltype(y.data)>, 2>(
        y.data, {y.extent[0], y.extent[3]}, {y.stride[0], 1}));  // (range, head_dim)
  };

  queue.workers().split(tiles * pictures * heads, 1, [&](Range items) {
    detail::Matrix weights;
    for (Index item = items.begin; item < items.end; ++item) {
      const Index head = item % heads, picture = item / heads % pictures,
                  first = item / (heads * pictures) * tile;
      const Range range{first, std::min(first + tile, tokens)};
      auto result = head_of(out, picture, head, range);  // (range, head_dim)
      if (keys == 0) {
        result.setZero();
        if (!lse.empty())
          for (Index t = range.begin; t < range.end; ++t)
            lse[t][picture][head] = -std::numeric_limits<float>::infinity();
        continue;
      }
      weights.noalias() = head_of(q, picture, head, range) *
                          head_of(k, picture, head, {0, keys}).transpose();  // (range, keys)
      Eigen::VectorXf sums(range.size());
      for (Index r = 0; r < range.size(); ++r) {
        auto row = weights.row(r).array();
        const float highest = row.maxCoeff();
        row = ((row - highest) * scale).exp();
        sums[r] = row.sum();
        if (!lse.empty()) lse[first + r][picture][head] = highest * scale + std::log(sums[r]);
      }
      result.noalias() = weights * head_of(v, picture, head, {0, keys});
      result.array().colwise() /= sums.array();
    }
  });
}

/// Takes the attention over further keys into the one so far: (part, part_lse) into (out, lse).
/// Shapes as in `attention`.
inline void merge(Queue& queue, In<float, 4> part, In<float, 3> part_lse, View<float, 4> out,
                  View<float, 3> lse) {
  const Index pictures = out.extent[1], heads = out.extent[2];
  queue.workers().split(out.extent[0], 16, [&](Range tokens) {
    for (Index i = tokens.begin * pictures * heads; i < tokens.end * pictures * heads; ++i) {
      const Index token = i / (pictures * heads), picture = i / heads % pictures, head = i % heads;
      float& sum = lse[token][picture][head];
      const float part_sum = part_lse[token][picture][head];
      const float highest = std::max(sum, part_sum);
      if (highest == -std::numeric_limits<float>::infinity()) continue;
      const float weight = std::exp(sum - highest), part_weight = std::exp(part_sum - highest);
      auto row = detail::mapped(out[token][picture][head]);
      row =
          (weight * row + part_weight * detail::mapped(part[token][picture][head])) / (weight + part_weight);
      sum = highest + std::log(weight + part_weight);
    }
  });
}

}  // namespace weft::host
