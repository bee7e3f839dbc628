#include "../options/no_gpu.hpp"
#include "decode.hpp"
#include "encode.hpp"
#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void reject_cuda(const Options& options) {
  weft::reject("this weft was built without nvcc and has no CUDA; build it again with nvcc on the PATH, or ",
               advice_without_gpu(options));
}

}  // namespace

int gpus_on_cuda(const Options& options) { reject_cuda(options); }
void check_model_on_cuda(const Options& options, const ModelFolder&) { reject_cuda(options); }
RunResult run_on_cuda(const Options& options, const ModelFolder&, Work, const Wanted&, weft::Trace*) {
  reject_cuda(options);
}
weft::Tensor decode_on_cuda(const Options& options, const std::filesystem::path&, const LatentBands&,
                            const weft::Progress&, weft::Trace*) {
  reject_cuda(options);
}
EncodedTexts encode_on_cuda(const Options& options, const std::vector<std::string>&, const weft::Progress&,
                            weft::Trace*) {
  reject_cuda(options);
}
DeviceMemory memory_on_cuda(const Options& options) { reject_cuda(options); }
BenchReport bench_on_cuda(const Options& options, const Arch&, const std::vector<BenchCase>&) {
  reject_cuda(options);
}
RehearsalReport rehearse_on_cuda(const Options& options, const std::vector<RehearsedRank>&) {
  reject_cuda(options);
}
void add_device_figures(BenchReport&, const Options& options, const Arch&) { reject_cuda(options); }
weft::planner::Hardware calibrated_on_cuda(const Options& options, const weft::planner::Hardware&) {
  reject_cuda(options);
}
weft::planner::Hardware calibrated_gpu(const Options& options, const weft::planner::Hardware&) {
  reject_cuda(options);
}
std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>&) {
  reject_cuda(options);
}

}  // namespace command
