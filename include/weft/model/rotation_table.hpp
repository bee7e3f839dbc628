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
      : extents_{share.rows.size(), head_dim},
        cos_(table(queue, share, angle, [](double turn) { return std::cos(turn); })),
        sin_(table(queue, share, angle, [](double turn) { return std::sin(turn); })) {}

  /// Returns the rotation of rows of the share.
  Rotation rows(Range range) const { return Rotation{cos_.view(extents_), sin_.view(extents_)}.rows(range); }

 private:
  using Buffer = typename Backend::template Buffer<float>;

  template <class Angle, class Turn>
  Buffer table(typename Backend::Queue& queue, const Share& share, const Angle& angle,
               const Turn& turned) const {
    return constant<Backend>(queue, extents_[0] * extents_[1], [this, &share, &angle, &turned] {
      Tensor out({extents_[0], extents_[1]});
      float* next = out.data.data();
      for (Index m = 0; m < share.rows.patches(); ++m)
        for (Index token = share.rows.tokens(m).begin; token < share.rows.tokens(m).end; ++token)
          for (Index pair = 0; pair < extents_[1] / 2; ++pair, next += 2)
            next[0] = next[1] = static_cast<float>(turned(angle(token, pair)));
      return out;
    });
  }

  std::array<Index, 2> extents_{};
  Buffer cos_, sin_;  // (rows, head_dim)
};

}  // namespace weft::inline v0_1
