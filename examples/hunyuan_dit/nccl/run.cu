#include "run.hpp"

#include <chrono>
#include <utility>

#include "../cuda/dtype.cuh"
#include "rank.cuh"
#include "weft/comm/gather_trace.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/comm/nccl/host_messages.cuh"

namespace command {

void in_processes_on_cuda(const Options& options, const std::function<void(const Run&)>& body) {
  const auto run_in = [](weft::nccl::World& world, const Options& asked, const ModelFolder& folder, Work work,
                         weft::Trace* trace) {
    weft::Tensor result =
        in_dtype(asked.dtype, [&world, &asked, &folder, &work, trace]<class E>(std::type_identity<E>) {
          return NcclRank<E>::run(world, asked, folder, std::move(work), trace);
        });
    if (trace) {
      weft::nccl::HostMessages messages(world);
      weft::gather_trace(messages, *trace);
    }
    return result;
  };
  weft::nccl::launch(*options.launched,
                     [&body, &run_in](weft::nccl::World& world) {
                       body([&world, &run_in](const Options& asked, const ModelFolder& folder, Work work,
                                              weft::Trace* trace) {
                         return run_in(world, asked, folder, std::move(work), trace);
                       });
                     },
                     {.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::duration<double>(options.timeout))});
}

}  // namespace command
