// One CUDA device in numbers of type `E`, as weft::Cuda takes it; each type is compiled in a file of its own.
#pragma once

#include "run.hpp"

namespace command {

template <class E>
struct OnDevice {
  static weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace);
  static BenchReport bench(const Options& options);
  static RehearsalReport rehearse(const Options& options, const std::vector<RehearsedRank>& ranks);
  /// One evaluation of bench's model, with guidance, for a picture of this side.
  static weft::Tensor evaluation(int px);
  static weft::Hardware calibrate();
  static std::vector<double> time_kernels(const std::vector<KernelSize>& sizes);
};

}  // namespace command
