// Portion: which of a model's weights a rank holds.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "weft/core/dit_shape.hpp"

namespace weft::inline v0_1 {

/// Some blocks, or without any all of them, and a slice of the matrices of each. What all blocks share is
/// part of every portion.
struct Portion {
  std::vector<Range> blocks;
  TensorSlice slice;

  Portion() = default;
  Portion(std::vector<Range> some_blocks, TensorSlice of_each = {})
      : blocks(std::move(some_blocks)), slice(of_each) {}
  Portion(std::initializer_list<Range> some_blocks) : blocks(some_blocks) {}

  friend bool operator==(const Portion&, const Portion&) = default;
};

}  // namespace weft::inline v0_1
