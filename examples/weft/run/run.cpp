#include "run.hpp"

#include <utility>

#include "../cuda/run.hpp"
#include "host/threads.hpp"
#include "weft/backend/host.hpp"
#include "with_model.hpp"

namespace command {

weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  if (options.backend == Backend::cuda) return run_on_cuda(options, folder, std::move(work), trace);
  return with_model<weft::Host>(folder.settings(), [&]<class Model>(std::type_identity<Model>) {
    return OnThreads<Model>::run(options, folder, std::move(work), trace);
  });
}

std::string extent_of(const Options& options, weft::Index steps) {
  const auto count = [](weft::Index n, const char* thing) {
    return weft::sentence(n, " ", thing, n == 1 ? "" : "s");
  };
  return (steps > 0 ? count(steps, "step") + " " : "") + "on " + count(options.world(), "rank");
}

}  // namespace command
