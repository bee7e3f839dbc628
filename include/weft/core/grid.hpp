// Grid: how the elements of a state are its tokens' features.
#pragma once

#include <array>
#include <concepts>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// The size of a state, in elements; an image has one frame.
struct Extent {
  Index frames = 1, height = 0, width = 0;

  friend constexpr bool operator==(const Extent&, const Extent&) = default;
};

/// The state of one image or video as tokens. `extents` are those of its tensor, channels first, rows and
/// columns last, and `dimensions` their names; element(image, token, feature) is a flat index into a tensor
/// of several, is callable on devices, 0 for (0, 0, 0), and as far from the token's first feature in every
/// token; with_channels(count) is the same grid of other features.
template <class G>
concept Grid = std::equality_comparable<G> && std::is_trivially_copyable_v<G> &&
    requires(const G& grid, Index i) {
  { grid.tokens() } -> std::same_as<Index>;
  { grid.features() } -> std::same_as<Index>;
  { grid.elements() } -> std::same_as<Index>;
  { grid.element(i, i, i) } -> std::same_as<Index>;
  { grid.with_channels(i) } -> std::same_as<G>;
  { G::dimensions } -> std::convertible_to<std::string_view>;
  requires std::same_as<decltype(grid.extents()),
                        std::array<Index, std::tuple_size_v<decltype(grid.extents())>>>;
};

}  // namespace weft::inline v0_1
