#include "run.hpp"

#include <chrono>
#include <utility>

#include "../options/agreement.hpp"
#include "../run/with_model.hpp"
#include "process.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/mpi.hpp"

namespace command {

namespace {

using World = weft::mpi::World;

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
          return with_model<weft::Host>(folder.settings(), [&]<class Model>(std::type_identity<Model>) {
            return InMpiProcess<Model>::run(world, asked, folder, std::move(work), recorded);
          });
        });
      },
      {.timeout = timeout}, launched.world);
}

}  // namespace command
