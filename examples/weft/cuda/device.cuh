// A model on the CUDA devices of this process, as a type on a backend. Each model and dtype is compiled in a
// unit of its own.
#pragma once

#include "../input/archs.hpp"
#include "run.hpp"

namespace command {

template <class Model>
struct OnDevice {
  static RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted,
                       weft::Trace* trace);
  static std::vector<SizeReport> bench(const Options& options, const Arch& arch,
                                       const std::vector<BenchCase>& sizes);
  /// Returns an evaluation with random weights, of all branches, for an image of `px` pixels a side.
  static weft::Tensor evaluation(const Arch& arch, int px);
};

}  // namespace command
