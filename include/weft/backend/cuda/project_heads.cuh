// Linear layers of heads, with the moves that bring the heads to where attention reads them.
#pragma once

#include <vector>

#include "weft/backend/cuda/e4m3.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/backend/operators.hpp"
#include "weft/backend/project_heads.hpp"

namespace weft::inline v0_1::cuda {

/// Runs the layers, whose operands are elements or e4m3, then the moves, whose heads may be of their outputs.
/// Outputs of which moves take all are left undefined.
template <class E, class O>
void project_heads(Queue& queue, const std::vector<HeadProjection<E, O>>& projections,
                   const std::vector<HeadMove<E>>& moves) {
  v0_1::detail::project_heads(queue, projections, moves);
}

}  // namespace weft::inline v0_1::cuda
