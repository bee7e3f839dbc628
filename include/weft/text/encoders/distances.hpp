// T5's bias of attention by the distance of key and query.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "weft/core/tensor.hpp"

namespace weft::inline v0_1::text {

/// Returns the row of T5's table for key − query: half of the rows are for keys behind the query, half of
/// these for single distances, and the rest for ranges that grow up to `max_distance`.
inline Index distance_bucket(Index distance, Index buckets, Index max_distance) {
  const Index half = buckets / 2, single = half / 2, first = distance > 0 ? half : 0;
  const Index size = std::abs(distance);
  if (size < single) return first + size;
  const auto log_of = [single](Index number) {
    return std::log(static_cast<float>(number) / static_cast<float>(single));
  };
  const float share = log_of(size) / log_of(max_distance);
  const auto range = static_cast<Index>(share * static_cast<float>(half - single));
  return first + std::min(single + range, half - 1);
}

/// Returns the bias of every distance among so many tokens, (heads, 2 · tokens − 1), from the table
/// (buckets, heads).
inline Tensor distance_bias(const Tensor& table, Index max_distance, Index tokens) {
  const Index buckets = table.shape[0], heads = table.shape[1];
  Tensor out({heads, 2 * tokens - 1});
  const View<float, 2> to = out.view<2>();
  for (Index i = 0; i < to.extent[1]; ++i) {
    const View<const float, 1> row = table.view<2>()[distance_bucket(i - tokens + 1, buckets, max_distance)];
    for (Index head = 0; head < heads; ++head) to[head][i] = row[head];
  }
  return out;
}

}  // namespace weft::inline v0_1::text
