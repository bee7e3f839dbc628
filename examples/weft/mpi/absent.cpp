#include "run.hpp"
#include "weft/core/error.hpp"

namespace command {

void in_processes(const Options& options, weft::Trace*, const std::function<void(Stages&)>&) {
  weft::reject(options.launched->launcher, " has started ", options.launched->world,
               " processes, and this weft was built without MPI, which the host needs between them; build it "
               "again with MPI installed, or start one process, whose ranks are threads");
}

}  // namespace command
