#include "run.hpp"

#include <utility>

#include "../cuda/run.hpp"
#include "../parallel.hpp"
#include "run_on.hpp"

namespace command {

weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  if (options.backend == Backend::cuda) return run_on_cuda(options, folder, std::move(work), trace);
  return run_on<weft::Host, Parallel, weft::threads::World>(
      options, folder, std::move(work),
      [&](const auto& body) { weft::launch(options.world(), body, {.trace = trace}); },
      OwnRanks::all(options.world()));
}

std::string extent_of(const Options& options, const Work& work) {
  const auto count = [](weft::Index n, const char* thing) {
    return weft::sentence(n, " ", thing, n == 1 ? "" : "s");
  };
  const auto* request = std::get_if<Request>(&work);
  const std::string steps =
      request ? count(static_cast<weft::Index>(request->sampler.size()), "step") + " " : "";
  return steps + "on " + count(options.world(), "rank");
}

}  // namespace command
