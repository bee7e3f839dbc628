#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void reject_nccl(const Options& options) {
  weft::reject(
      options.launched->launcher, " has started ", options.launched->world,
      " processes, and this weft was built without NCCL, which GPUs need between them; build it again "
      "with nvcc and NCCL installed, or start one process");
}

}  // namespace

void in_processes_on_cuda(const Options& options, weft::Trace*, const std::function<void(Stages&)>&) {
  reject_nccl(options);
}
BenchReport bench_over_nccl(const Options& options, const Arch&, const std::vector<BenchCase>&) {
  reject_nccl(options);
}
weft::planner::Hardware calibrated_over_nccl(const Options& options, const weft::planner::Hardware&) {
  reject_nccl(options);
}

}  // namespace command
