// Reuse: the steps of a run that leave blocks out, known before the first step.
#pragma once

#include <algorithm>
#include <cmath>
#include <compare>
#include <string>
#include <vector>

#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// The steps that leave blocks out, and add instead what these added to the tokens in the last step that ran
/// them all, a full one.
struct Reuse {
  std::vector<Index> steps{};  // ascending, numbered from 0; the first step of a run is full
  Index ends = 0;              // blocks at either end that run in every step

  bool empty() const { return steps.empty(); }
  bool contains(Index step) const { return std::ranges::binary_search(steps, step); }
  /// Returns the blocks that are left out.
  Range blocks(const DitShape& model) const { return {ends, model.blocks - ends}; }

  friend constexpr bool operator==(const Reuse&, const Reuse&) = default;
  friend constexpr auto operator<=>(const Reuse&, const Reuse&) = default;

  /// Throws InvalidArgument unless these are steps of a run of `count`, and such blocks of the model.
  void check(Index count, const DitShape& model) const {
    if (empty() && ends != 0)
      reject(ends,
             " blocks at either end are to run in every step, and no step leaves any out; use 0, or name ",
             "steps that do");
    if (empty()) return;
    Index before = 0;
    for (const Index step : steps) {
      if (step <= before || step >= count)
        reject("step ", step, " is to reuse ",
               before == 0 ? "an earlier one" : sentence("one after ", before),
               before + 1 < count
                   ? sentence(", and of ", count, " steps those from ", before + 1, " to ", count - 1, " can")
                   : sentence(", and of ", count, " steps none is left that can"));
      before = step;
    }
    if (ends < 0 || 2 * ends >= model.blocks)
      reject(ends, " blocks at either end are to run in every step, and of the model's ", model.blocks,
             " that leaves none out; use 0 to ", (model.blocks - 1) / 2);
    check_skips(model);
  }

 private:
  /// Throws InvalidArgument if a block that always runs reads the output of one that is left out.
  void check_skips(const DitShape& model) const {
    for (Index i = model.blocks - ends; i < model.blocks; ++i)
      if (model.reads_skip(i) && blocks(model).contains(model.block(i).skip_from))
        reject("block ", i, " runs in every step and reads the output of block ", model.block(i).skip_from,
               ", which is left out in some; use 0 blocks at either end");
  }
};

/// Returns "no step", "steps 1 and 3", or "steps 1 and 3 but for 2 blocks at either end".
[[nodiscard]] inline std::string to_string(const Reuse& reuse) {
  std::vector<std::string> steps;
  for (const Index step : reuse.steps) steps.push_back(std::to_string(step));
  const std::string kept = reuse.ends > 0 ? sentence(" but for ", reuse.ends,
                                                     reuse.ends == 1 ? " block" : " blocks", " at either end")
                                          : "";
  return (reuse.empty() ? "no step" : "steps " + listed(steps)) + kept;
}

/// Returns the steps that TeaCache reuses, from the embeddings of their times (steps, features): their
/// relative L1 distances to the steps before are summed up from a full step on, and while the sum is below
/// the threshold steps reuse. Liu et al., "Timestep Embedding Tells: It's Time to Cache for Video Diffusion
/// Model", 2024, Eq. 4 to 6, without the polynomial, so that the steps depend on neither prompts nor latents.
[[nodiscard]] inline Reuse teacache(const Tensor& embeddings, double threshold) {
  const Index count = embeddings.shape[0], features = embeddings.shape[1];
  Reuse out;
  double sum = 0;
  for (Index step = 1; step < count; ++step) {
    const float* const now = embeddings.data.data() + step * features;
    const float* const before = now - features;
    double difference = 0, magnitude = 0;
    for (Index f = 0; f < features; ++f) {
      difference += std::abs(static_cast<double>(now[f]) - before[f]);
      magnitude += std::abs(static_cast<double>(before[f]));
    }
    sum += difference / magnitude;
    if (sum < threshold) {
      out.steps.push_back(step);
    } else {
      sum = 0;
    }
  }
  return out;
}

/// Returns the steps that Skip-Cache reuses: all but every `period`-th, from the first on; the first and the
/// last block, between which a long skip leads, run in all. Throws InvalidArgument unless the model has long
/// skips and the period is at least 2. Chen et al., "Accelerating Vision Diffusion Transformers with Skip
/// Branches", 2024.
[[nodiscard]] inline Reuse skip_cache(Index period, Index count, const DitShape& model) {
  if (period < 2)
    reject("every ", period, "-th step is to be full, which leaves none to reuse; use 2 or more");
  if (!model.has_long_skips())
    reject(
        "Skip-Cache needs a model with long skips, and this one has none; use TeaCache, or list the steps");
  Reuse out;
  for (Index step = 1; step < count; ++step)
    if (step % period != 0) out.steps.push_back(step);
  out.ends = out.empty() ? 0 : 1;
  return out;
}

}  // namespace weft::inline v0_1
