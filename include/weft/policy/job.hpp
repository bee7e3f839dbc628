// Job: what is to be computed, as the policies see it when they take their memory.
#pragma once

#include "weft/core/dit_shape.hpp"
#include "weft/core/layout.hpp"

namespace weft {

struct Job {
  DitShape model;
  Layout layout;
  Index images = 0;  // that this rank evaluates: branches × prompts
  Index layers = 0;  // blocks that this rank runs
  Index steps = 0;
  Index warmup = 0;

  friend bool operator==(const Job&, const Job&) = default;
};

/// A part of the work of one step: some patches of the image, all of them during warm-up.
struct Unit {
  Index step = 0;
  Range patches;
};

}  // namespace weft
