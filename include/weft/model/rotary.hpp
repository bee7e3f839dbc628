// Rotary positions of an image's tokens, as diffusers computes them for HunyuanDiT.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "weft/core/image.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// The angles of a rotary position embedding over two dimensions: the first half of a head encodes the
/// column, the second the row; both features of a pair have the same angle.
class Rotary {
 public:
  /// Fits the grid of (rows, columns) into a square of `base` and centres it there, as diffusers'
  /// get_resize_crop_region_for_grid does; `head_dim` must be a multiple of 4.
  Rotary(Index rows, Index columns, Index base, Index head_dim)
      : columns_(columns),
        quarter_(head_dim / 4),
        y_(turns(positions(rows, columns, base))),
        x_(turns(positions(columns, rows, base))) {}

  /// Returns the cosine of `token`'s angle at feature `d` of a head.
  float cos(Index token, Index d) const { return turn(token, d).cos; }
  /// Returns the sine of `token`'s angle at feature `d` of a head.
  float sin(Index token, Index d) const { return turn(token, d).sin; }

 private:
  struct Turn {
    float cos, sin;
  };
  /// Evenly spaced positions along one dimension.
  struct Positions {
    float first, spacing;
    Index count;
    float at(Index i) const { return first + spacing * static_cast<float>(i); }
  };

  /// Returns the positions of `count` rows or columns. diffusers puts the last one at end · (n−1)/n even if
  /// the first is not 0, which makes the spacing slightly smaller than base over grid.
  static Positions positions(Index count, Index other, Index base) {
    double size = static_cast<double>(base);
    if (count < other) size = std::nearbyint(size / static_cast<double>(other) * static_cast<double>(count));
    const double first = std::nearbyint((static_cast<double>(base) - size) / 2);
    const double last = (first + size) * static_cast<double>(count - 1) / static_cast<double>(count);
    const double spacing = count > 1 ? (last - first) / static_cast<double>(count - 1) : 0;
    return {static_cast<float>(first), static_cast<float>(spacing), count};
  }

  /// Returns the turns (positions, quarter of a head).
  std::vector<Turn> turns(const Positions& along) const {
    std::vector<Turn> out;
    for (Index i = 0; i < along.count; ++i)
      for (Index pair = 0; pair < quarter_; ++pair) {
        const float exponent = static_cast<float>(2 * pair) / static_cast<float>(2 * quarter_);
        const float angle = along.at(i) * (1.0f / std::pow(10000.0f, exponent));
        out.push_back({std::cos(angle), std::sin(angle)});
      }
    return out;
  }

  const Turn& turn(Index token, Index d) const {
    const Index pair = d / 2;
    return pair < quarter_ ? x_[static_cast<std::size_t>(token % columns_ * quarter_ + pair)]
                           : y_[static_cast<std::size_t>(token / columns_ * quarter_ + pair - quarter_)];
  }

  Index columns_, quarter_;
  std::vector<Turn> y_, x_;
};

}  // namespace weft::inline v0_1
