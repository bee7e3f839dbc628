// One CUDA device in numbers of type `E`, as weft::Cuda takes it; each type is compiled in a file of its own.
#pragma once

#include "run.hpp"

namespace command {

template <class E>
struct OnDevice {
  static weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace);
  static BenchReport bench(const Options& options, const std::vector<BenchCase>& sizes);
  static Roofline roofline();
  static RehearsalReport rehearse(const Options& options, const std::vector<RehearsedRank>& ranks);
  /// One evaluation of bench's model, with guidance, for an image of this side.
  static weft::Tensor evaluation(int px);
  /// The same with what is measured here: of the current GPU, or of the links between this process's.
  static weft::planner::Hardware calibrate_gpu(weft::planner::Hardware known);
  static weft::planner::Hardware calibrate_links(weft::planner::Hardware known);
  static std::vector<double> time_kernels(const std::vector<KernelSize>& sizes);
};

}  // namespace command
