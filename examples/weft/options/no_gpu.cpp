#include "no_gpu.hpp"

namespace command {

std::string advice_without_gpu(const Options& options) {
  switch (options.command) {
    case Command::bench:
      return "use bench --project --backend host, which measures the host";
    case Command::plan:
      return options.planning.calibrate ? "omit --calibrate" : "omit --kernels";
    default:
      return "use --backend host";
  }
}

}  // namespace command
