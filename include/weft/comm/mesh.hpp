// Mesh: how many ranks each parallel method has, and which rank sits where.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/range.hpp"

namespace weft {

/// From the slowest to the fastest: neighbours along the last sit next to each other.
enum class Axis { data, cfg, pipe, ring, ulysses };

constexpr std::array all_axes{Axis::data, Axis::cfg, Axis::pipe, Axis::ring, Axis::ulysses};

constexpr std::string_view name_of(Axis axis) {
  constexpr std::array<std::string_view, all_axes.size()> names{"data", "cfg", "pipe", "ring", "ulysses"};
  return names[static_cast<std::size_t>(axis)];
}

/// What a rank of Ring keeps when the image is cut into patches.
enum class RingCache {
  automatic,  // rotate for one patch, copy for several
  rotate,     // its own slice of the keys; whole slices travel at every patch
  copy,       // the keys of all; only a patch's fresh ones travel
};

/// Degrees are run-time numbers: chosen per machine. How PipeFusion cuts time and image is here
/// too.
struct Mesh {
  int data = 1, cfg = 1, pipe = 1, ulysses = 1, ring = 1;
  int patches = 0;  // of PipeFusion; 0: one a stage
  int warmup = 1;   // first steps in which every patch sees the fresh keys of all
  RingCache ring_cache = RingCache::automatic;

  constexpr int degree(Axis axis) const {
    switch (axis) {
      case Axis::data:
        return data;
      case Axis::cfg:
        return cfg;
      case Axis::pipe:
        return pipe;
      case Axis::ring:
        return ring;
      default:
        return ulysses;
    }
  }

  /// 0 where a degree is below 1; the largest Index where there are more than that.
  constexpr Index ranks() const {
    constexpr Index most = std::numeric_limits<Index>::max();
    Index product = 1;
    for (Axis axis : all_axes) {
      const Index count = degree(axis) < 1 ? 0 : degree(axis);
      product = count > 0 && product > most / count ? most : product * count;
    }
    return product;
  }

  constexpr int patch_count() const { return patches > 0 ? patches : pipe; }

  constexpr bool copies_ring_cache() const {
    return ring_cache == RingCache::copy || (ring_cache == RingCache::automatic && patch_count() > 1);
  }

  /// How many ranks lie between two neighbours along the axis.
  constexpr int stride(Axis axis) const {
    int product = 1;
    for (std::size_t a = all_axes.size(); a-- > 0 && all_axes[a] != axis;) product *= degree(all_axes[a]);
    return product;
  }

  constexpr int coordinate(Axis axis, int rank) const { return rank / stride(axis) % degree(axis); }

  /// The ranks that differ from `rank` along the axis alone, in order; `rank` is one of them.
  std::vector<int> group(Axis axis, int rank) const {
    std::vector<int> ranks;
    const int first = rank - coordinate(axis, rank) * stride(axis);
    for (int i = 0; i < degree(axis); ++i) ranks.push_back(first + i * stride(axis));
    return ranks;
  }
};

/// "cfg2·pipe4, 8 patches"; "one rank" where nothing is split.
inline std::string name_of(const Mesh& mesh) {
  std::string name;
  for (const Axis axis : all_axes) {
    if (mesh.degree(axis) == 1) continue;
    if (!name.empty()) name += "·";
    name += name_of(axis);
    name += std::to_string(mesh.degree(axis));
  }
  if (name.empty()) name = "one rank";
  if (mesh.patch_count() > 1) name += ", " + std::to_string(mesh.patch_count()) + " patches";
  if (mesh.ring > 1 && mesh.patch_count() > 1)
    name += mesh.copies_ring_cache() ? ", keys copied" : ", keys rotate";
  return name;
}

}  // namespace weft
