// The command on CUDA devices in numbers of type `E`, as weft::Cuda takes it. Each type is compiled in a file
// of its own.
#pragma once

#include "run.hpp"

namespace command {

template <class E>
struct OnDevice {
  static weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace);
  static BenchReport bench(const Options& options, const std::vector<BenchCase>& sizes);
  static Roofline roofline();
  static RehearsalReport rehearse(const Options& options, const std::vector<RehearsedRank>& ranks);
  /// Returns an evaluation of bench's model, with and without the prompt, for an image of `px` pixels a side.
  static weft::Tensor evaluation(int px);
  /// Return `known` with the measured rates of the current GPU, or of the links between this process's GPUs.
  static weft::planner::Hardware calibrate_gpu(weft::planner::Hardware known);
  static weft::planner::Hardware calibrate_links(weft::planner::Hardware known);
  static std::vector<double> time_kernels(const std::vector<KernelSize>& sizes);
};

}  // namespace command
