// Features: the inputs or outputs of a linear layer, of which a rank may hold some.
#pragma once

#include <utility>
#include <vector>

#include "weft/core/dit_shape.hpp"

namespace weft::inline v0_1 {

class Features {
 public:
  /// Makes features that are all here.
  Features(Index all) : all_(all), held_{{0, all}} {}
  /// Makes features of which `held` are here.
  Features(Index all, Range held) : all_(all), held_{held} {}

  /// Return the features that the matrices of blocks are split by: those of heads, and the hidden ones of
  /// feed-forward layers.
  static Features of_heads(const DitShape& model, TensorSlice slice) {
    const Range heads = model.heads_of(slice);
    return {model.heads * model.head_dim, {heads.begin * model.head_dim, heads.end * model.head_dim}};
  }
  static Features hidden(const DitShape& model, TensorSlice slice) {
    return {model.ffn_width(), model.hidden_of(slice)};
  }

  Index all() const { return all_; }
  /// Returns those that are here, in the order in which they lie in memory.
  const std::vector<Range>& held() const { return held_; }
  Index count() const {
    Index sum = 0;
    for (const Range& range : held_) sum += range.size();
    return sum;
  }
  /// Returns whether the first one is here.
  bool has_first() const { return held_.front().contains(0); }

  /// Returns features of both, one after the other.
  friend Features operator+(Features first, const Features& second) {
    for (const Range& range : second.held_) first.held_.push_back(range + first.all_);
    first.all_ += second.all_;
    return first;
  }

 private:
  Index all_;
  std::vector<Range> held_;
};

}  // namespace weft::inline v0_1
