// Reuse: the steps of a run that leave blocks out, known before the first step.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

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

  /// Throws InvalidArgument unless these are steps of a run of `count`, and such blocks of the model.
  void check(Index count, const DitShape& model) const {
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

/// Returns the reuse of every step of `count` but each `period`-th, from the first on.
[[nodiscard]] inline Reuse reuse_between(Index period, Index count, Index ends = 0) {
  Reuse out{.steps = {}, .ends = ends};
  for (Index step = 0; step < count; ++step)
    if (step % period != 0) out.steps.push_back(step);
  return out;
}

}  // namespace weft::inline v0_1
