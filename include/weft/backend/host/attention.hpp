// Attention on the host.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

#include "weft/backend/host/linear.hpp"
#include "weft/core/head_split.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/stretches.hpp"

namespace weft::inline v0_1::host {

namespace detail {

inline constexpr Index attention_rows = 64;  // of a head at a time

/// Computes some rows of one head: q, out (rows, head_dim); k, v (keys, head_dim), one key at least; lse
/// (rows, 1). `weights` (rows, keys) and `sums` (rows, head_dim) are scratch.
inline void attend(In<float, 2> q, In<float, 2> k, In<float, 2> v, const View<float, 2>& out,
                   const View<float, 2>& lse, bool merges, const View<float, 2>& weights,
                   const View<float, 2>& sums) {
  const float scale = 1 / std::sqrt(static_cast<float>(q.extent[1]));
  multiply_transposed(q, k, weights);
  std::array<MergeWeights, attention_rows> merged;
  for (Index r = 0; r < q.extent[0]; ++r) {
    const View<float, 1> row = weights[r];
    const float highest = detail::highest(row);
    for (Index i = 0; i < row.size(); ++i) row[i] = (row[i] - highest) * scale;
    exponentiate(row);
    const float sum = detail::sum(row), own_lse = highest * scale + std::log(sum);
    MergeWeights& of_row = merged[static_cast<std::size_t>(r)];
    of_row = merges ? merge_weights(lse[r][0], own_lse) : MergeWeights{0, 1, own_lse};
    of_row.added /= sum;
    lse[r][0] = of_row.lse;
  }
  multiply(weights, v, sums);
  for (Index r = 0; r < q.extent[0]; ++r) {
    const MergeWeights& of_row = merged[static_cast<std::size_t>(r)];
    for (Index d = 0; d < out.extent[1]; ++d)
      out[r][d] = sums[r][d] * of_row.added + (merges ? out[r][d] * of_row.kept : 0);
  }
}

/// Writes the attention over no keys.
inline void attend_no_keys(const View<float, 2>& out, const View<float, 2>& lse) {
  for (Index r = 0; r < out.extent[0]; ++r) std::fill_n(out[r].data, out.extent[1], 0.0f);
  for (Index r = 0; r < lse.extent[0]; ++r) lse[r][0] = -std::numeric_limits<float>::infinity();
}

}  // namespace detail

/// Computes out = softmax(q · kᵀ / √head_dim) · v for every image and head.
/// q, out (n, images, heads, head_dim); k, v (keys, images, key heads, head_dim), whose heads divide those of
/// q, each for as many in a row; lse (n, images, heads), the logarithm of the sum of exponentials, or empty.
/// Keys that `mask` hides do not exist. Without keys out is 0 and lse −∞. With Output::merge out and lse hold
/// the attention over other keys, and then that over both.
inline void attention(Queue& queue, In<float, 4> q, In<float, 4> k, In<float, 4> v, const View<float, 4>& out,
                      const View<float, 3>& lse = {}, Output output = Output::replace,
                      const KeyMask& mask = {}) {
  const Index tokens = q.extent[0], images = q.extent[1], heads = q.extent[2], head_dim = q.extent[3],
              keys = k.extent[0], most = std::min(detail::attention_rows, tokens);
  const bool merges = output == Output::merge;
  check_key_heads(heads, k.extent[2]);
  check_key_mask(mask, images);
  const Index group = heads / k.extent[2];
  if (merges && keys == 0) return;
  if (merges && lse.data == nullptr)
    throw std::logic_error(
        "attention merges by log-sum-exps, and was given none of the output that is there");

  const auto head_of = []<class T>(const View<T, 4>& x, Index image, Index head, Range range) {
    return View<T, 2>(x.data + range.begin * x.stride[0] + image * x.stride[1] + head * x.stride[2],
                      {range.size(), x.extent[3]}, {x.stride[0], 1});
  };
  const auto attend_items = [&head_of, &q, &k, &v, &out, &lse, &mask, tokens, images, heads, head_dim, keys,
                             most, merges, group](Range items) {
    detail::Matrix weights(most, keys), sums(most, head_dim), own_lse(most, 1);
    for (Index item = items.begin; item < items.end; ++item) {
      const Index head = item % heads, image = item / heads % images,
                  first = item / (heads * images) * detail::attention_rows;
      const Range rows{first, std::min(first + detail::attention_rows, tokens)};
      const View<float, 2> rows_out = head_of(out, image, head, rows);
      View<float, 2> rows_lse{own_lse.data(), {rows.size(), 1}};
      if (!lse.empty()) rows_lse = {&lse[first][image][head], {rows.size(), 1}, {lse.stride[0], 1}};
      const Range hidden = mask.hidden(image, keys);
      bool has_other_keys = merges;
      for (const Range& part : {Range{0, hidden.begin}, Range{hidden.end, keys}}) {
        if (part.empty()) continue;
        detail::attend(head_of(q, image, head, rows), head_of(k, image, head / group, part),
                       head_of(v, image, head / group, part), rows_out, rows_lse, has_other_keys,
                       {weights.data(), {rows.size(), part.size()}}, {sums.data(), {rows.size(), head_dim}});
        has_other_keys = true;
      }
      if (!has_other_keys) detail::attend_no_keys(rows_out, rows_lse);
    }
  };
  const Index tiles = (tokens + detail::attention_rows - 1) / detail::attention_rows;
  queue.workers().parallel_for(tiles * images * heads, 1, attend_items);
}

inline void attention(Queue& queue, In<float, 4> q, In<float, 4> k, In<float, 4> v,
                      const Stretches<float, 4>& out, const View<float, 3>& lse = {},
                      Output output = Output::replace, const KeyMask& mask = {}) {
  const auto attend = [&queue, &k, &v, output, &mask](const auto& q_rows, const auto& out_rows,
                                                      const auto& lse_rows) {
    attention(queue, q_rows, k, v, out_rows, lse_rows, output, mask);
  };
  for_each_stretch(q, out, lse, attend);
}

}  // namespace weft::inline v0_1::host
