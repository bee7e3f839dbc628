// The encodings that ranks share among them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "weft/core/range.hpp"

namespace weft::inline v0_1::text {

/// An encoder's work in multiplications of weights, or what takes as long.
struct EncoderCost {
  Index loading = 0;   // once on a rank
  Index encoding = 0;  // each prompt
};

/// One encoder's work on one prompt, and the rank that does it.
struct Encoding {
  std::size_t prompt = 0, encoder = 0;
  int rank = 0;
};

/// Deals all pairs of prompts and encoders out over ranks, by Graham's rule: the costliest first, each to the
/// rank that would be done with it first. "Bounds on Multiprocessing Timing Anomalies", 1969.
inline std::vector<Encoding> dealt_out(std::size_t prompts, std::span<const EncoderCost> encoders,
                                       int ranks) {
  std::vector<Encoding> out;
  for (std::size_t encoder = 0; encoder < encoders.size(); ++encoder)
    for (std::size_t prompt = 0; prompt < prompts; ++prompt) out.push_back({prompt, encoder});
  std::ranges::stable_sort(out, [encoders](const Encoding& a, const Encoding& b) {
    return encoders[a.encoder].encoding > encoders[b.encoder].encoding;
  });

  struct Rank {
    Index busy = 0;
    std::vector<bool> has_loaded;

    Index done(const EncoderCost& cost, std::size_t encoder) const {
      return busy + cost.encoding + (has_loaded[encoder] ? 0 : cost.loading);
    }
  };
  std::vector<Rank> all(static_cast<std::size_t>(ranks), {0, std::vector<bool>(encoders.size())});
  for (Encoding& one : out) {
    const EncoderCost& cost = encoders[one.encoder];
    const auto to = std::ranges::min_element(
        all, {}, [&cost, &one](const Rank& rank) { return rank.done(cost, one.encoder); });
    to->busy = to->done(cost, one.encoder);
    to->has_loaded[one.encoder] = true;
    one.rank = static_cast<int>(to - all.begin());
  }
  return out;
}

}  // namespace weft::inline v0_1::text
