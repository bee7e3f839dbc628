#include "run.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "../cuda/run.hpp"
#include "../input/with_model.hpp"
#include "host/threads.hpp"
#include "weft/backend/host.hpp"

namespace command {

RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted,
              weft::Trace* trace) {
  if (options.backend == Backend::cuda) return run_on_cuda(options, folder, std::move(work), wanted, trace);
  return with_model<weft::Host>(folder.settings(), [&]<class Model>(std::type_identity<Model>) {
    return OnThreads<Model>::run(options, folder, std::move(work), wanted, trace);
  });
}

void check_finite(const weft::Tensor& result) {
  for (const float value : result.data)
    if (!std::isfinite(value))
      throw std::runtime_error("the result holds numbers that are not finite, so nothing is written");
}

std::string extent_of(const Options& options, weft::Index steps) {
  const auto count = [](weft::Index n, const char* thing) {
    return weft::sentence(n, " ", thing, n == 1 ? "" : "s");
  };
  return (steps > 0 ? count(steps, "step") + " " : "") + "on " + count(options.world(), "rank");
}

}  // namespace command
