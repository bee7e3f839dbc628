// Images as tokens: which element of (images, channels, height, width) a token's feature is.
#pragma once

#include <array>
#include <string_view>

#include "weft/core/grid.hpp"
#include "weft/core/host_device.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// An image of (channels, height, width) seen as tokens of patch × patch elements. Tokens run row-major,
/// a token's features run (channel, row in patch, column in patch).
struct ImageShape {
  static constexpr std::string_view dimensions = "channels, height, width";

  Index channels = 0, height = 0, width = 0;
  Index patch = 1;

  WEFT_HOST_DEVICE constexpr Index rows() const { return height / patch; }
  WEFT_HOST_DEVICE constexpr Index columns() const { return width / patch; }
  constexpr Index tokens() const { return rows() * columns(); }
  constexpr Index features() const { return channels * patch * patch; }
  constexpr Index elements() const { return channels * height * width; }
  constexpr std::array<Index, 3> extents() const { return {channels, height, width}; }

  /// Returns the flat index of feature `f` of token `t` of image number `image`.
  WEFT_HOST_DEVICE constexpr Index element(Index image, Index t, Index f) const {
    const Index channel = f / (patch * patch);
    const Index y = t / columns() * patch + f / patch % patch;
    const Index x = t % columns() * patch + f % patch;
    return ((image * channels + channel) * height + y) * width + x;
  }

  constexpr ImageShape with_channels(Index count) const { return {count, height, width, patch}; }

  friend constexpr bool operator==(const ImageShape&, const ImageShape&) = default;
};
static_assert(Grid<ImageShape>);

}  // namespace weft::inline v0_1
