// Job: the whole computation, as policies see it when they allocate memory.
#pragma once

#include "weft/core/dit_shape.hpp"
#include "weft/core/layout.hpp"
#include "weft/policy/reuse.hpp"

namespace weft::inline v0_1 {

struct Job {
  DitShape model;    // with the heads and hidden features of this rank's slice
  Layout layout;     // of the sequence
  Index prefix = 0;  // tokens of the sequence before the image's
  Index images = 0;  // evaluated by this rank: branches × prompts
  Index layers = 0;  // calls of attention in the blocks run by this rank
  Index steps = 0;
  Index warmup = 0;
  Index latent_features = 0, predicted_features = 0;  // of a token of the image
  Index most_images = 0;     // evaluated by any rank: of uneven branches more than `images`
  bool has_padding = false;  // whether tokens of the prefix may be hidden from others, image by image
  Reuse reuse{};
  TensorSlice slice{};  // of the blocks' matrices, that this rank holds

  Range all_tokens() const { return {0, layout.tokens}; }
  Range image_tokens() const { return {prefix, layout.tokens}; }

  friend bool operator==(const Job&, const Job&) = default;
};

/// A part of the work of one step: one patch of the sequence, or all of them during warm-up.
struct Unit {
  Index step = 0;
  Range patches;
};

/// One call of attention: whose keys are kept as those of `layer`, numbered from 0 on every rank; for a unit;
/// among some of the sequence's tokens, which are all, or the image's.
struct Scope {
  Index layer = 0;
  Unit unit;
  Range tokens;
};

}  // namespace weft::inline v0_1
