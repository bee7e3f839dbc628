// project_heads of backends without a kernel that does both of its parts.
#pragma once

#include <vector>

#include "weft/backend/operators.hpp"

namespace weft::inline v0_1::detail {

/// Runs the layers, then the moves, whose heads may be of their outputs. Outputs of which moves take all are
/// left undefined.
template <class E, class O>
void project_heads(auto& queue, const std::vector<HeadProjection<E, O>>& projections,
                   const std::vector<HeadMove<E>>& moves, HeadsGo) {
  for (const HeadProjection<E, O>& one : projections) linear(queue, one.x, one.layer, one.out);
  move_heads(queue, moves);
}

}  // namespace weft::inline v0_1::detail
