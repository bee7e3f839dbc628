// Mesh: how many ranks each parallel method has, and which rank has which coordinates.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// The parallel methods that ranks are counted along; `axes` describes them.
enum class Axis { data, cfg, pipe, ring, ulysses, tensor };

/// The keys and values that a rank of Ring keeps.
enum class RingCache {
  automatic,  // rotate with one patch, copy with several
  rotate,     // its own slice; whole slices are sent round at every patch
  copy,       // those of all ranks; only a patch's fresh ones are sent
};

/// The names of all ring caches, in the order of RingCache.
constexpr std::pair<const char*, RingCache> ring_caches[] = {
    {"automatic", RingCache::automatic}, {"rotate", RingCache::rotate}, {"copy", RingCache::copy}};

constexpr std::string_view name_of(RingCache cache) {
  return ring_caches[static_cast<std::size_t>(cache)].first;
}

/// Degrees are run-time numbers, chosen per machine; so are PipeFusion's patches and warm-up steps.
struct Mesh {
  int data = 1, cfg = 1, pipe = 1, ulysses = 1, ring = 1, tensor = 1;
  int patches = 0;  // of PipeFusion; 0: one a stage
  int warmup = 1;   // first steps, in which every patch attends to fresh keys of the whole image; 1 of one
  RingCache ring_cache = RingCache::automatic;  // automatic without a ring

  constexpr int degree(Axis axis) const;

  /// Returns the product of the degrees: 0 if one is below 1, the largest Index if it overflows.
  constexpr Index ranks() const;

  constexpr int patch_count() const { return patches > 0 ? patches : pipe; }

  constexpr bool copies_ring_cache() const {
    return ring_cache == RingCache::copy || (ring_cache == RingCache::automatic && patch_count() > 1);
  }

  /// Returns the difference between the ranks of two neighbours along the axis.
  constexpr int stride(Axis axis) const;

  constexpr int coordinate(Axis axis, int rank) const { return rank / stride(axis) % degree(axis); }

  /// Returns the ranks that differ from `rank` along the axis only, in order; `rank` is one of them.
  std::vector<int> group(Axis axis, int rank) const {
    std::vector<int> ranks;
    const int first = rank - coordinate(axis, rank) * stride(axis);
    for (int i = 0; i < degree(axis); ++i) ranks.push_back(first + i * stride(axis));
    return ranks;
  }
};

/// An axis of the mesh, and the depth of its policy in a stack: policies of lesser depth are outside. Depths
/// leave room for policies without an axis.
struct AxisInfo {
  using Degree = int Mesh::*;

  Axis axis;
  std::string_view name;
  Degree degree;
  int depth;
};

/// All axes, from the slowest to the fastest: neighbours along the last have consecutive ranks. Names,
/// degrees, loops, the order of ranks and that of policies follow from this table.
constexpr std::array axes{
    AxisInfo{Axis::data, "data", &Mesh::data, 10},
    AxisInfo{Axis::cfg, "cfg", &Mesh::cfg, 20},
    AxisInfo{Axis::pipe, "pipe", &Mesh::pipe, 30},
    AxisInfo{Axis::ring, "ring", &Mesh::ring, 50},
    AxisInfo{Axis::ulysses, "ulysses", &Mesh::ulysses, 40},
    AxisInfo{Axis::tensor, "tensor", &Mesh::tensor, 36},
};

constexpr const AxisInfo& info_of(Axis axis) { return axes[static_cast<std::size_t>(axis)]; }
constexpr std::string_view name_of(Axis axis) { return info_of(axis).name; }

/// The axes alone, in the order of the table.
constexpr auto all_axes = [] {
  std::array<Axis, axes.size()> out{};
  for (std::size_t i = 0; i < axes.size(); ++i) out[i] = axes[i].axis;
  return out;
}();
static_assert(
    [] {
      for (const AxisInfo& info : axes)
        if (info_of(info.axis).axis != info.axis) return false;
      return true;
    }(),
    "weft: the table of axes is in the order of Axis");

constexpr int Mesh::degree(Axis axis) const { return this->*info_of(axis).degree; }

constexpr Index Mesh::ranks() const {
  constexpr Index most = std::numeric_limits<Index>::max();
  Index product = 1;
  for (const Axis axis : all_axes) {
    const Index count = degree(axis) < 1 ? 0 : degree(axis);
    product = count > 0 && product > most / count ? most : product * count;
  }
  return product;
}

constexpr int Mesh::stride(Axis axis) const {
  int product = 1;
  for (std::size_t a = all_axes.size(); a-- > 0 && all_axes[a] != axis;) product *= degree(all_axes[a]);
  return product;
}

/// Returns a name such as "cfg2·pipe4, 8 patches", or "one rank".
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

}  // namespace weft::inline v0_1
