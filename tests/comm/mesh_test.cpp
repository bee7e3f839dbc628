#include "weft/comm/mesh.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

using weft::all_axes;
using weft::Axis;
using weft::Mesh;

namespace {

constexpr Mesh mesh{.data = 2, .cfg = 2, .pipe = 3, .ulysses = 4, .ring = 5, .tensor = 2};

}  // namespace

static_assert(Mesh{}.ranks() == 1 && mesh.ranks() == 480);
static_assert(mesh.degree(Axis::data) == 2 && mesh.degree(Axis::cfg) == 2 && mesh.degree(Axis::pipe) == 3);
static_assert(mesh.degree(Axis::ulysses) == 4 && mesh.degree(Axis::ring) == 5 &&
              mesh.degree(Axis::tensor) == 2);
static_assert(name_of(Axis::data) == "data" && name_of(Axis::ring) == "ring" &&
              name_of(Axis::ulysses) == "ulysses" && name_of(Axis::tensor) == "tensor");

TEST_CASE("Mesh: data is slowest, then cfg, pipe, ring and ulysses; tensor is fastest") {
  static_assert(mesh.stride(Axis::tensor) == 1);
  static_assert(mesh.stride(Axis::ulysses) == 2);
  static_assert(mesh.stride(Axis::ring) == 8);
  static_assert(mesh.stride(Axis::pipe) == 40);
  static_assert(mesh.stride(Axis::cfg) == 120);
  static_assert(mesh.stride(Axis::data) == 240);
}

TEST_CASE("Mesh: coordinates identify ranks and lead back to them") {
  std::set<std::array<int, all_axes.size()>> seen;
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    std::array<int, all_axes.size()> place{};
    int back = 0;
    for (std::size_t a = 0; a < all_axes.size(); ++a) {
      place[a] = mesh.coordinate(all_axes[a], rank);
      CHECK(place[a] < mesh.degree(all_axes[a]));
      back += place[a] * mesh.stride(all_axes[a]);
    }
    CHECK(back == rank);
    seen.insert(place);
  }
  CHECK(static_cast<weft::Index>(seen.size()) == mesh.ranks());
}

TEST_CASE("Mesh: a group holds the ranks that differ only along its axis, in order") {
  for (int rank = 0; rank < mesh.ranks(); ++rank)
    for (const Axis axis : all_axes) {
      const std::vector<int> group = mesh.group(axis, rank);
      CHECK(static_cast<int>(group.size()) == mesh.degree(axis));
      CHECK(group[static_cast<std::size_t>(mesh.coordinate(axis, rank))] == rank);
      CHECK(std::is_sorted(group.begin(), group.end()));
      for (const int member : group) {
        CHECK(mesh.group(axis, member) == group);
        for (const Axis other : all_axes)
          if (other != axis) CHECK(mesh.coordinate(other, member) == mesh.coordinate(other, rank));
      }
    }
}

TEST_CASE("Mesh: the default is one patch a stage, and several patches copy the ring's cache") {
  static_assert(Mesh{.pipe = 3}.patch_count() == 3 && Mesh{.pipe = 3, .patches = 7}.patch_count() == 7);
  static_assert(!Mesh{.ring = 2}.copies_ring_cache() && Mesh{.pipe = 2, .ring = 2}.copies_ring_cache());
  static_assert(Mesh{.ring_cache = weft::RingCache::copy}.copies_ring_cache());
  static_assert(!Mesh{.pipe = 2, .ring_cache = weft::RingCache::rotate}.copies_ring_cache());
}

TEST_CASE("Mesh: a number of ranks that overflows is the largest one") {
  constexpr int most = std::numeric_limits<int>::max();
  static_assert(Mesh{.data = most, .cfg = most, .pipe = most, .ulysses = most}.ranks() ==
                std::numeric_limits<weft::Index>::max());
  static_assert(Mesh{.data = most, .cfg = most, .pipe = most, .ulysses = -2}.ranks() == 0);
}
