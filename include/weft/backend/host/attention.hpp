// Attention on the host.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "weft/backend/host/linear.hpp"
#include "weft/core/merge.hpp"

namespace weft::host {

/// out = softmax(q · kᵀ / √head_dim) · v for every picture and head, without a mask.
/// q, out (n, pictures, heads, head_dim); k, v (keys, pictures, heads, head_dim); lse (n, pictures, heads),
/// the logarithm of the sum of exponentials, or empty. Without keys out is 0 and lse −∞. With Output::merge
/// out and lse hold the attention over other keys, and then that over both.
inline void attention(Queue& queue, In<float, 4> q, In<float, 4> k, In<float, 4> v, View<float, 4> out,
                      View<float, 3> lse = {}, Output output = Output::replace) {
  constexpr Index tile = 64;
  const Index tokens = q.extent[0], pictures = q.extent[1], heads = q.extent[2], head_dim = q.extent[3],
              keys = k.extent[0];
  const bool merges = output == Output::merge;
  if (merges && keys == 0) return;
  const Index tiles = (tokens + tile - 1) / tile;
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));

  const auto head_of = [head_dim]<class T>(const View<T, 4>& x, Index picture, Index head, Range range) {
    return View<T, 2>(x.data + range.begin * x.stride[0] + picture * x.stride[1] + head * x.stride[2],
                      {range.size(), head_dim}, {x.stride[0], 1});  // (range, head_dim)
  };

  queue.workers().split(tiles * pictures * heads, 1,
                        [&q, &k, &v, &out, &lse, &head_of, tile, tokens, pictures, heads, head_dim, keys,
                         scale, merges](Range items) {
                          detail::Matrix logits(std::min(tile, tokens), keys),
                              sums(std::min(tile, tokens), head_dim);
                          for (Index item = items.begin; item < items.end; ++item) {
                            const Index head = item % heads, picture = item / heads % pictures,
                                        first = item / (heads * pictures) * tile;
                            const Range range{first, std::min(first + tile, tokens)};
                            const View<float, 2> result = head_of(out, picture, head, range);
                            if (keys == 0) {
                              for (Index r = 0; r < range.size(); ++r) {
                                std::fill_n(result[r].data, head_dim, 0.0f);
                                if (!lse.empty())
                                  lse[first + r][picture][head] = -std::numeric_limits<float>::infinity();
                              }
                              continue;
                            }
                            const View<float, 2> weights(logits.data(), {range.size(), keys});
                            detail::multiply_transposed(head_of(q, picture, head, range),
                                                        head_of(k, picture, head, {0, keys}), weights);
                            std::array<MergeWeights, tile> shares;
                            for (Index r = 0; r < range.size(); ++r) {
                              const View<float, 1> row = weights[r];
                              const float highest = detail::highest(row);
                              for (Index i = 0; i < keys; ++i) row[i] = (row[i] - highest) * scale;
                              detail::exponentiate(row);
                              const float sum = detail::sum(row), own_lse = highest * scale + std::log(sum);
                              MergeWeights& share = shares[static_cast<std::size_t>(r)];
                              share = merges ? merge_weights(lse[first + r][picture][head], own_lse)
                                             : MergeWeights{0, 1, own_lse};
                              share.added /= sum;
                              if (!lse.empty()) lse[first + r][picture][head] = share.lse;
                            }
                            const View<float, 2> part(sums.data(), {range.size(), head_dim});
                            detail::multiply(weights, head_of(v, picture, head, {0, keys}), part);
                            for (Index r = 0; r < range.size(); ++r) {
                              const auto [kept, added, own_lse] = shares[static_cast<std::size_t>(r)];
                              for (Index d = 0; d < head_dim; ++d)
                                result[r][d] = part[r][d] * added + (merges ? result[r][d] * kept : 0);
                            }
                          }
                        });
}

}  // namespace weft::host
