// The model and its work on the ranks of a mesh.
#pragma once

#include <string>

#include "../input/work.hpp"
#include "bands.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// What a run is to return: all of the result on rank 0, a request's latents in bands, or both.
struct Wanted {
  bool whole = true, bands = false;
  std::string memory{};  // a line to print before the first step, or empty
};

struct RunResult {
  weft::Tensor whole{};
  LatentBands bands{};
};

/// Loads the weights, does the work, prints how long both took, and returns what is wanted of the result.
[[nodiscard]] RunResult run(const Options& options, const ModelFolder& folder, Work work,
                            const Wanted& wanted, weft::Trace* trace);

/// Throws std::runtime_error if the result holds an infinity or NaN.
void check_finite(const weft::Tensor& result);

/// Returns "20 steps on 4 ranks", or without steps "on 4 ranks".
[[nodiscard]] std::string extent_of(const Options& options, weft::Index steps);

}  // namespace command
