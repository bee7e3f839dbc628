// Rotary positions of an image's tokens, as diffusers gives them to HunyuanDiT.
#pragma once

#include <cmath>
#include <vector>

#include "weft/core/image.hpp"
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
        y_(turns(axis(rows, columns, base))),
        x_(turns(axis(columns, rows, base))) {}

  /// Of `token` at feature `d` of a head.
  float cos(Index token, Index d) const { return turn(token, d).cos; }
  float sin(Index token, Index d) const { return turn(token, d).sin; }

 private:
  struct Turn {
    float cos, sin;
  };
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

  /// (positions, quarter of a head).
  std::vector<Turn> turns(const Axis& along) const {
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

}  // namespace weft
