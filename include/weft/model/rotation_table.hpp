// RotationTable: the rotary positions of the tokens that one rank holds.
#pragma once

#include <cmath>

#include "weft/backend/operators.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/dit.hpp"
#include "weft/model/layers.hpp"

namespace weft::inline v0_1 {

template <class Backend>
class RotationTable {
 public:
  RotationTable() = default;
  /// Makes the table of angle(token, pair) in radians, for tokens of the sequence and pairs of a head's
  /// features.
  template <class Angle>
  RotationTable(typename Backend::Queue& queue, const Share& share, Index head_dim, const Angle& angle)
      : extents_{share.rows.size(), head_dim} {
    Tensor cos({extents_[0], head_dim}), sin({extents_[0], head_dim});
    const View<float, 2> cosines = cos.view<2>(), sines = sin.view<2>();
    Index row = 0;
    for (Index m = 0; m < share.rows.patches(); ++m)
      for (Index token = share.rows.tokens(m).begin; token < share.rows.tokens(m).end; ++token, ++row)
        for (Index d = 0; d < head_dim; ++d) {
          const double turn = angle(token, d / 2);
          cosines[row][d] = static_cast<float>(std::cos(turn));
          sines[row][d] = static_cast<float>(std::sin(turn));
        }
    cos_ = constant<Backend>(queue, cos);
    sin_ = constant<Backend>(queue, sin);
  }

  /// Returns the rotation of rows of the share.
  Rotation rows(Range range) const { return Rotation{cos_.view(extents_), sin_.view(extents_)}.rows(range); }

 private:
  std::array<Index, 2> extents_{};
  typename Backend::template Buffer<float> cos_, sin_;  // (rows, head_dim)
};

}  // namespace weft::inline v0_1
