// The numbers of a Diffusion Transformer that parallel methods need to know.
#pragma once

#include "weft/core/range.hpp"

namespace weft {

/// Which blocks a pipeline stage holds.
enum class Placement {
  contiguous,  // one slice
  folded,      // a slice of the first half and its mirror image in the second, so that long skips stay local
};

struct DitShape {
  Index blocks = 0;
  Index width = 0;  // features of a token
  Index heads = 0;
  Index head_dim = 0;
  Index patch = 0;         // elements of a token's side
  Index channels = 0;      // of the state
  Index out_channels = 0;  // of the prediction; more than `channels` where a variance is learned too
  Index branches = 2;      // of guidance: without and with the prompt
  Placement placement = Placement::contiguous;
  // What only costs depend on:
  Index ffn = 0;            // features inside the feed-forward layer; 0: four times the width
  Index text_length = 0;    // states of the text that blocks attend to
  Index text_width = 0;     // their features
  Index other_weights = 0;  // numbers of the weights outside of blocks

  friend constexpr bool operator==(const DitShape&, const DitShape&) = default;

  constexpr Index ffn_width() const { return ffn > 0 ? ffn : 4 * width; }
  constexpr bool has_long_skips() const { return placement == Placement::folded; }

  /// Whether block i's output is read again, by block `blocks` − 1 − i.
  constexpr bool is_kept(Index i) const { return has_long_skips() && i + 1 < blocks / 2; }
  /// Whether block i reads the output of block `blocks` − 1 − i.
  constexpr bool reads_skip(Index i) const { return has_long_skips() && i > blocks / 2; }
};

}  // namespace weft
