#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void refuse_cuda() {
  weft::refuse(
      "this hunyuan_dit was built without nvcc and has no CUDA; build it again with nvcc on the PATH, or use "
      "--backend host");
}

}  // namespace

int gpus_on_cuda() { refuse_cuda(); }
weft::Tensor run_on_cuda(const Options&, const ModelFolder&, Work, weft::Trace*) { refuse_cuda(); }
DeviceMemory memory_on_cuda(const Options&) { refuse_cuda(); }
BenchReport bench_on_cuda(const Options&, const std::vector<BenchCase>&) { refuse_cuda(); }
RehearsalReport rehearse_on_cuda(const Options&, const std::vector<RehearsedRank>&) { refuse_cuda(); }
void add_device_figures(BenchReport&, const Options&) { refuse_cuda(); }
weft::Hardware calibrated_on_cuda(const Options&, const weft::Hardware&) { refuse_cuda(); }
weft::Hardware calibrated_gpu(const Options&, const weft::Hardware&) { refuse_cuda(); }
std::vector<double> kernel_times_on_cuda(const Options&, const std::vector<KernelSize>&) { refuse_cuda(); }

}  // namespace command
