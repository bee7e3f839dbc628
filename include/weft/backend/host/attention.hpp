// Attention on the host, and the merge of attentions over parts of the keys.
#pragma once

#include <algorithm>
#include <array>
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

  const auto head_of = []<class T>(const View<T, 4>& x, Index picture, Index head, Range range) {
    return View<T, 2>(x.data + range.begin * x.stride[0] + picture * x.stride[1] + head * x.stride[2],
                      {range.size(), x.extent[3]}, {x.stride[0], 1});  // (range, head_dim)
  };

  queue.workers().split(
      tiles * pictures * heads, 1,
      [&q, &k, &v, &out, &lse, &head_of, tile, tokens, pictures, heads, keys, scale](Range items) {
        detail::Matrix memory(std::min(tile, tokens), keys);
        for (Index item = items.begin; item < items.end; ++item) {
          const Index head = item % heads, picture = item / heads % pictures,
                      first = item / (heads * pictures) * tile;
          const Range range{first, std::min(first + tile, tokens)};
          const View<float, 2> result = head_of(out, picture, head, range);  // (range, head_dim)
          if (keys == 0) {
            for (Index r = 0; r < range.size(); ++r) {
              std::fill_n(result[r].data, result.extent[1], 0.0f);
              if (!lse.empty()) lse[first + r][picture][head] = -std::numeric_limits<float>::infinity();
            }
            continue;
          }
          const View<float, 2> weights(memory.data(), {range.size(), keys});
          detail::multiply_transposed(head_of(q, picture, head, range), head_of(k, picture, head, {0, keys}),
                                      weights);
          std::array<float, tile> sums;
          for (Index r = 0; r < range.size(); ++r) {
            const View<float, 1> row = weights[r];
            const float highest = detail::highest(row);
            for (Index i = 0; i < keys; ++i) row[i] = (row[i] - highest) * scale;
            detail::exponentiate(row);
            sums[static_cast<std::size_t>(r)] = detail::sum(row);
            if (!lse.empty())
              lse[first + r][picture][head] = highest * scale + std::log(sums[static_cast<std::size_t>(r)]);
          }
          detail::multiply(weights, head_of(v, picture, head, {0, keys}), result);
          for (Index r = 0; r < range.size(); ++r)
            for (Index d = 0; d < result.extent[1]; ++d) result[r][d] /= sums[static_cast<std::size_t>(r)];
        }
      });
}

/// Takes the attention over further keys into the one so far: (part, part_lse) into (out, lse).
/// Shapes as in `attention`.
inline void merge(Queue& queue, In<float, 4> part, In<float, 3> part_lse, View<float, 4> out,
                  View<float, 3> lse) {
  const Index pictures = out.extent[1], heads = out.extent[2];
  queue.workers().split(out.extent[0], 16, [&part, &part_lse, &out, &lse, pictures, heads](Range tokens) {
    for (Index i = tokens.begin * pictures * heads; i < tokens.end * pictures * heads; ++i) {
      const Index token = i / (pictures * heads), picture = i / heads % pictures, head = i % heads;
      float& sum = lse[token][picture][head];
      const float part_sum = part_lse[token][picture][head];
      const float highest = std::max(sum, part_sum);
      if (highest == -std::numeric_limits<float>::infinity()) continue;
      const float weight = std::exp(sum - highest), part_weight = std::exp(part_sum - highest);
      const View<float, 1> row = out[token][picture][head];
      const View<const float, 1> added = part[token][picture][head];
      for (Index d = 0; d < row.size(); ++d)
        row[d] = (weight * row[d] + part_weight * added[d]) / (weight + part_weight);
      sum = highest + std::log(weight + part_weight);
    }
  });
}

}  // namespace weft::host
