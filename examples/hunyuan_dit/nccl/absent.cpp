#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void refuse_nccl(const Options& options) {
  weft::refuse(
      options.launched->launcher, " has started ", options.launched->world,
      " processes, and this hunyuan_dit was built without NCCL, which GPUs need between them; build it again "
      "with nvcc and NCCL installed, or start one process");
}

}  // namespace

void in_processes_on_cuda(const Options& options, const std::function<void(const Run&)>&) {
  refuse_nccl(options);
}
BenchReport bench_over_nccl(const Options& options, const std::vector<BenchCase>&) { refuse_nccl(options); }
weft::Hardware calibrated_over_nccl(const Options& options, const weft::Hardware&) { refuse_nccl(options); }

}  // namespace command
