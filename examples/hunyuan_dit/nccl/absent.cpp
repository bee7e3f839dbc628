#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

void in_processes_on_cuda(const Options& options, const std::function<void(const Run&)>&) {
  weft::refuse(
      options.launched->launcher, " has started ", options.launched->world,
      " processes, and this hunyuan_dit was built without NCCL, which GPUs need between them; build it again "
      "with nvcc and NCCL installed, or start one process");
}

}  // namespace command
