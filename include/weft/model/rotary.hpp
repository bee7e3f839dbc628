// Rotary positions of a picture's tokens, as diffusers gives them to HunyuanDiT.
#pragma once

#include <cmath>

#include "weft/core/picture.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

/// Angles of rotary position embedding over two dimensions: the first half of a head encodes the column, the
/// second the row; each number stands twice, for the two of a pair.
class Rotary {
 public:
  /// The grid of (rows, columns) is fitted into a square of `base` and centred there, as by diffusers'
  /// get_resize_crop_region_for_grid; `head_dim` is a multiple of 4.
  Rotary(Index rows, Index columns, Index base, Index head_dim)
      : columns_(columns),
        quarter_(head_dim / 4),
        y_(axis(rows, columns, base)),
        x_(axis(columns, rows, base)) {}

  /// cos or sin of `token` at feature `d` of a head.
  template <class Function>
  float operator()(Function function, Index token, Index d) const {
    const bool is_row = d >= 2 * quarter_;
    const Index pair = d / 2 - (is_row ? quarter_ : 0);
    const Axis& along = is_row ? y_ : x_;
    const float position = along.at(is_row ? token / columns_ : token % columns_);
    const float exponent = static_cast<float>(2 * pair) / static_cast<float>(2 * quarter_);
    return function(position * (1.0f / std::pow(10000.0f, exponent)));
  }

 private:
  struct Axis {
    float first, step;
    Index count;
    float at(Index i) const { return first + step * static_cast<float>(i); }
  };

  /// diffusers leaves the last position at end · (n−1)/n also where the first is not 0, so that steps are a
  /// little smaller there than the base over the grid.
  static Axis axis(Index count, Index other, Index base) {
    double size = static_cast<double>(base);
    if (count < other) size = std::nearbyint(size / static_cast<double>(other) * static_cast<double>(count));
    const double first = std::nearbyint((static_cast<double>(base) - size) / 2);
    const double last = (first + size) * static_cast<double>(count - 1) / static_cast<double>(count);
    const double step = count > 1 ? (last - first) / static_cast<double>(count - 1) : 0;
    return {static_cast<float>(first), static_cast<float>(step), count};
  }

  Index columns_, quarter_;
  Axis y_, x_;
};

}  // namespace weft
