// The model and its work on the ranks of a mesh.
#pragma once

#include <functional>
#include <string>

#include "../input/work.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// Loads the weights, does the work, prints how long both took, and returns the result on rank 0.
[[nodiscard]] weft::Tensor run(const Options& options, const ModelFolder& folder, Work work,
                               weft::Trace* trace);

/// A function that does what `run` does, on ranks in other processes or on other devices.
using Run = std::function<weft::Tensor(const Options&, const ModelFolder&, Work, weft::Trace*)>;

/// Throws std::runtime_error if the result holds an infinity or NaN.
void check_finite(const weft::Tensor& result);

/// Returns "20 steps on 4 ranks", or without steps "on 4 ranks".
[[nodiscard]] std::string extent_of(const Options& options, weft::Index steps);

}  // namespace command
