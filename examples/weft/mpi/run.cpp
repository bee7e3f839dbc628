#include "run.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "../options/agreement.hpp"
#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "weft/comm/gather_trace.hpp"
#include "weft/comm/mpi.hpp"

namespace command {

namespace {

using World = weft::mpi::World;

weft::Tensor run_on_mpi(World& world, const Options& options, const ModelFolder& folder, Work work,
                        weft::Trace* trace) {
  if (trace) world.record(*trace);
  std::optional<weft::Span> loading(std::in_place, world.lane(), "model", "load");
  weft::Tensor result = run_on<weft::Host, Parallel, World>(options, folder, std::move(work),
                                                            [&world, &loading](const auto& body) {
                                                              loading.reset();
                                                              body(world);
                                                            },
                                                            {{world.rank()}, world.size()});
  if (trace) weft::gather_trace(world, *trace);
  return result;
}

}  // namespace

void in_processes(const Options& options, const std::function<void(const Run&)>& body) {
  const weft::LaunchEnvironment& launched = *options.launched;
  if (!launched.has_pmi)
    weft::reject(launched.launcher, " has started ", launched.world,
                 " processes, and MPI, which the host needs between ",
                 "them, cannot start from there; use mpirun -n ", launched.world,
                 launched.launcher == "srun" ? " or srun --mpi=pmix" : "",
                 ", or start one process, whose ranks are threads",
                 launched.launcher == "torchrun" ? ", with RANK and WORLD_SIZE unset" : "");
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(options.timeout));
  weft::mpi::launch(
      [&body, &options](World& world) {
        weft::host::Queue queue;
        weft::Agreement<weft::Host, World>(queue, world).check([&options] { return summary_of(options); });
        body([&world](const Options& asked, const ModelFolder& folder, Work work, weft::Trace* recorded) {
          return run_on_mpi(world, asked, folder, std::move(work), recorded);
        });
      },
      {.timeout = timeout}, launched.world);
}

}  // namespace command
