// Job: the whole computation, as policies see it when they allocate memory.
#pragma once

#include "weft/core/dit_shape.hpp"
#include "weft/core/layout.hpp"

namespace weft {

struct Job {
  DitShape model;
  Layout layout;
  Index images = 0;  // evaluated by this rank: branches × prompts
  Index layers = 0;  // blocks run by this rank
  Index steps = 0;
  Index warmup = 0;

  friend bool operator==(const Job&, const Job&) = default;
};

/// A part of the work of one step: one patch of the image, or all of them during warm-up.
struct Unit {
  Index step = 0;
  Range patches;
};

}  // namespace weft
