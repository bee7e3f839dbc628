// DitShape: the numbers of a Diffusion Transformer that parallel methods and their costs depend on.
#pragma once

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft {

/// The blocks that a pipeline stage holds.
enum class Placement {
  contiguous,  // one range
  folded,      // a range of the first half and its mirror image in the second, so that long skips stay local;
               // the middle block of an odd number is the last stage's
};

struct DitShape {
  Index blocks = 0;
  Index width = 0;  // features of a token
  Index heads = 0;
  Index head_dim = 0;
  Index patch = 0;         // latent elements along a token's side
  Index channels = 0;      // of the state
  Index out_channels = 0;  // of the prediction; more than `channels` where a variance is learned too
  Placement placement = Placement::contiguous;
  // Only costs depend on these:
  Index ffn = 0;            // features inside the feed-forward layer; 0: four times the width
  Index text_length = 0;    // text tokens that blocks attend to
  Index text_width = 0;     // features of a text token
  Index other_weights = 0;  // weights outside of the blocks, in numbers

  friend constexpr bool operator==(const DitShape&, const DitShape&) = default;

  /// Throws InvalidArgument unless a model of this shape can be run.
  void check() const {
    const auto need = [](const char* what, Index number) {
      if (number < 1) reject("the model's ", what, " is ", number, " and must be at least 1");
    };
    need("number of blocks", blocks);
    need("width", width);
    need("number of heads", heads);
    need("head_dim", head_dim);
    need("patch", patch);
    need("number of channels", channels);
    if (width % heads != 0 || width / heads != head_dim)
      reject("the model's width is ", width, " and must be its ", heads, " heads of ", head_dim,
             " features each, which are ", heads * head_dim);
    if (out_channels < channels)
      reject("the model predicts ", out_channels, " channels and must predict at least the ", channels,
             " of its state");
    if (placement == Placement::folded && blocks < 2)
      reject("the model's blocks are folded, and it has 1; fold 2 or more, or place them contiguously");
    const auto need_cost = [](const char* what, Index number) {
      if (number < 0) reject("the model's ", what, " is ", number, " and must not be negative");
    };
    need_cost("ffn", ffn);
    need_cost("text_length", text_length);
    need_cost("text_width", text_width);
    need_cost("other_weights", other_weights);
  }

  constexpr Index ffn_width() const { return ffn > 0 ? ffn : 4 * width; }
  constexpr bool has_long_skips() const { return placement == Placement::folded; }

  /// Returns whether block `blocks` − 1 − i reads block i's output as its long skip. The blocks in the
  /// middle, two of an even number and one of an odd, have no skip.
  constexpr bool is_kept(Index i) const { return has_long_skips() && i < (blocks - 1) / 2; }
  /// Returns whether block i reads the output of block `blocks` − 1 − i.
  constexpr bool reads_skip(Index i) const { return has_long_skips() && i > blocks / 2; }
};

}  // namespace weft
