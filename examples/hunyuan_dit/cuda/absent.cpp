#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void refuse_cuda(const Options& options) {
  weft::refuse(
      "this hunyuan_dit was built without nvcc and has no CUDA; build it again with nvcc on the PATH, or ",
      what_needs_no_gpu(options));
}

}  // namespace

int gpus_on_cuda(const Options& options) { refuse_cuda(options); }
weft::Tensor run_on_cuda(const Options& options, const ModelFolder&, Work, weft::Trace*) {
  refuse_cuda(options);
}
DeviceMemory memory_on_cuda(const Options& options) { refuse_cuda(options); }
BenchReport bench_on_cuda(const Options& options, const std::vector<BenchCase>&) { refuse_cuda(options); }
RehearsalReport rehearse_on_cuda(const Options& options, const std::vector<RehearsedRank>&) {
  refuse_cuda(options);
}
void add_device_figures(BenchReport&, const Options& options) { refuse_cuda(options); }
weft::Hardware calibrated_on_cuda(const Options& options, const weft::Hardware&) { refuse_cuda(options); }
weft::Hardware calibrated_gpu(const Options& options, const weft::Hardware&) { refuse_cuda(options); }
std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>&) {
  refuse_cuda(options);
}

}  // namespace command
