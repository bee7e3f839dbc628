// Work: what an operator computes and moves, as numbers.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1::counting {

enum class WorkKind {
  product,    // of matrices
  attention,  // of one call
  sum,        // of a block's output over ranks, with the transfers
  heads,      // a block's call of attention, with the norms, rotations and transfers that policies add
  rows,       // all that is bound by memory: norms, rotations, activations, copies, the sampler
};

/// The work of one operator. Sizes that a kind does not have are 0.
struct Work {
  WorkKind kind = WorkKind::rows;
  Index m = 0;         // rows of the output of a product or a sum; queries of a head
  Index n = 0;         // columns of such an output; keys of a head; of `heads` 1 if the image is alone
  Index k = 0;         // depth of a product; heads of all images
  Index head_dim = 0;  // of attention, and of a product whose outputs are heads
  Index passes = 0;    // of a product's epilogue over its output, for activation and residual
  Index bytes = 0;     // read and written

  /// Returns the operations of a product or a call of attention: two for each multiplication.
  constexpr double flop() const {
    const double product = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    if (kind == WorkKind::product) return product;
    return kind == WorkKind::attention ? 2 * product * static_cast<double>(head_dim) : 0;
  }

  friend constexpr bool operator==(const Work&, const Work&) = default;
};

}  // namespace weft::inline v0_1::counting
