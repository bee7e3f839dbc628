// The encodings that groups of ranks share among them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "weft/comm/mesh.hpp"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::text {

/// An encoder's work in multiplications of weights, or what takes as long.
struct EncoderCost {
  Index loading = 0;   // once in a group
  Index encoding = 0;  // each prompt
};

/// Returns the mesh of ranks whose groups along Axis::tensor hold `slices` slices of an encoder, and share
/// the encodings along Axis::data. Throws InvalidArgument if the number of ranks is no multiple of that of
/// slices.
inline Mesh mesh_of_encoders(int ranks, int slices) {
  int divisor = std::clamp(slices, 1, ranks);
  while (ranks % divisor != 0) --divisor;
  if (divisor != slices)
    reject("text encoders are to be cut into ", slices, " slices, which must divide the ", ranks, " ranks; ",
           divisor, " would do");
  return {.data = ranks / slices, .tensor = slices};
}

/// One encoder's work on one prompt, and the group that does it.
struct Encoding {
  std::size_t prompt = 0, encoder = 0;
  int group = 0;
};

/// Deals all pairs of prompts and encoders out over groups, by Graham's rule: the costliest first, each to
/// the group that would be done with it first. "Bounds on Multiprocessing Timing Anomalies", 1969.
inline std::vector<Encoding> dealt_out(std::size_t prompts, std::span<const EncoderCost> encoders,
                                       int groups) {
  std::vector<Encoding> out;
  for (std::size_t encoder = 0; encoder < encoders.size(); ++encoder)
    for (std::size_t prompt = 0; prompt < prompts; ++prompt) out.push_back({prompt, encoder});
  std::ranges::stable_sort(out, [encoders](const Encoding& a, const Encoding& b) {
    return encoders[a.encoder].encoding > encoders[b.encoder].encoding;
  });

  struct Group {
    Index busy = 0;
    std::vector<bool> has_loaded;

    Index done(const EncoderCost& cost, std::size_t encoder) const {
      return busy + cost.encoding + (has_loaded[encoder] ? 0 : cost.loading);
    }
  };
  std::vector<Group> all(static_cast<std::size_t>(groups), {0, std::vector<bool>(encoders.size())});
  for (Encoding& one : out) {
    const EncoderCost& cost = encoders[one.encoder];
    const auto to = std::ranges::min_element(
        all, {}, [&cost, &one](const Group& group) { return group.done(cost, one.encoder); });
    to->busy = to->done(cost, one.encoder);
    to->has_loaded[one.encoder] = true;
    one.group = static_cast<int>(to - all.begin());
  }
  return out;
}

/// Returns what a group's encodings cost it, each encoder's loading among them once.
inline Index cost_of_group(std::span<const Encoding> encodings, std::span<const EncoderCost> encoders,
                           int group) {
  Index out = 0;
  std::vector<bool> has_loaded(encoders.size());
  for (const Encoding& one : encodings) {
    if (one.group != group) continue;
    const EncoderCost& cost = encoders[one.encoder];
    out += cost.encoding + (has_loaded[one.encoder] ? 0 : cost.loading);
    has_loaded[one.encoder] = true;
  }
  return out;
}

}  // namespace weft::inline v0_1::text
