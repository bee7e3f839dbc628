#include "run.hpp"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "progress.hpp"
#include "stopwatch.hpp"
#include "weft/weft.hpp"

namespace command {

namespace {

using Parallel = weft::DataParallel<weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>>;
using Model = weft::HunyuanDiT<weft::Host>;
using Engine = weft::Engine<Model, Parallel>;

weft::Tensor evaluated(Engine& engine, const Request& request) { return engine.generate(request); }
weft::Tensor evaluated(Engine& engine, const Evaluation& evaluation) { return engine.forward(evaluation); }

weft::Tensor on_all_ranks(const Model& model, const weft::Mesh& mesh, const auto& work, weft::Trace* trace) {
  weft::Tensor result;
  weft::launch(mesh.ranks(),
               [&](weft::threads::World& world) {
                 Engine engine(model, mesh, world);
                 weft::Tensor own = evaluated(engine, work);
                 if (world.rank() == 0) result = std::move(own);
               },
               {.trace = trace});
  return result;
}

std::string ranks_and(weft::Index ranks, const Work& work) {
  const auto count = [](weft::Index n, const char* thing) {
    return weft::sentence(n, " ", thing, n == 1 ? "" : "s");
  };
  const auto* request = std::get_if<Request>(&work);
  const std::string steps =
      request ? count(static_cast<weft::Index>(request->sampler.size()), "step") + " " : "";
  return steps + "on " + count(ranks, "rank");
}

}  // namespace

void check_mesh(const Options& options, const ModelFolder& model) {
  const weft::Mesh& mesh = options.mesh;
  const weft::Demand most{.prompts = mesh.data, .branches = mesh.cfg, .tokens = mesh.patch_count()};
  if (const auto fault = weft::check<Parallel>(mesh, model.config().shape(), most, options.world()))
    weft::refuse(weft::to_string(*fault));
}

weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  Stopwatch watch;
  const Model model(folder.transformer());
  std::visit([&](const auto& asked) { Engine::check(model, options.mesh, asked); }, work);
  watch.lap("load");

  weft::Tensor result;
  {
    auto* request = std::get_if<Request>(&work);
    Progress progress(request ? static_cast<weft::Index>(request->sampler.size()) : 1);
    if (request) request->progress = [&](weft::Index done) { progress.show(done); };
    result =
        std::visit([&](const auto& asked) { return on_all_ranks(model, options.mesh, asked, trace); }, work);
  }
  for (const float value : result.data)
    if (!std::isfinite(value))
      throw std::runtime_error("the result holds numbers that are not finite, so nothing is written");
  watch.lap((options.command == Command::generate ? "paint, " : "evaluate, ") +
            ranks_and(options.world(), work));
  return result;
}

}  // namespace command
