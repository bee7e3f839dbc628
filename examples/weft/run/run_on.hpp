// A model and its work on the ranks of a mesh, for every backend.
#pragma once

#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../output/bar.hpp"
#include "../output/stopwatch.hpp"
#include "memories.hpp"
#include "run.hpp"
#include "weft/model/lora_weights.hpp"
#include "weft/weft.hpp"

namespace command {

/// Returns what `run` does, for one model on one backend. `on_ranks(body)` calls body(world) on each rank of
/// this process; `ranks` lists them.
template <class Model, class Parallel, class World, class OnRanks>
RunResult run_on(const Options& options, const ModelFolder& folder, Work all_work, const Wanted& wanted,
                 const OnRanks& on_ranks, const OwnRanks& ranks, const Memories& memories = {}) {
  using Engine = weft::Engine<Model, Parallel, World>;
  using Prompt = typename Model::Prompt;
  auto& work = std::get<WorkOf<Prompt>>(all_work.asked);
  auto* const request = std::get_if<weft::Request<Prompt>>(&work);
  const weft::DitShape& shape = folder.shape();
  Stopwatch watch(options.prints());
  std::unique_ptr<const weft::LoraWeights> weights = std::move(all_work.weights);
  if (!weights) weights = std::make_unique<const weft::LoraWeights>(folder.transformer(), options.loras);
  const auto models = with_bar("reading", options.prints(), [&](const weft::Progress& progress) {
    const weft::WatchedWeights<weft::LoraWeights> watched{*weights, progress};
    return models_in<Model>(
        memories, ranks, [&](int rank) { return Engine::portion(options.mesh, rank, shape); },
        [&folder, &watched](std::deque<Model>& at, const weft::Portion& portion, const auto& others) {
          at.emplace_front(std::get<typename Model::Settings>(folder.settings()), watched, portion, others);
        });
  });
  weights.reset();
  std::visit([&](const auto& asked) { Engine::check(models.models.front(), options.mesh, asked); }, work);
  watch.lap("load");
  if (options.prints() && !wanted.memory.empty()) std::printf("%s\n", wanted.memory.c_str());

  RunResult result;
  if (wanted.bands)
    result.bands = {request->height, std::vector<weft::Tensor>(static_cast<std::size_t>(ranks.world))};
  {
    Bar bar("step", Bar::Unit::step);
    if (request)
      request->progress = [&bar, steps = static_cast<weft::Index>(request->sampler.size())](
                              weft::Index done) { bar.show(done, steps); };
    on_ranks([&](World& world) {
      Engine engine(models.of(world.rank()), options.mesh, world);
      weft::Tensor whole;
      if (request) {
        engine.denoise(*request);
        if (wanted.bands)
          result.bands.of_rank[static_cast<std::size_t>(world.rank())] = engine.latents_band();
        if (wanted.whole) whole = engine.latents();
      } else {
        whole = engine.forward(std::get<weft::Evaluation<Prompt>>(work));
      }
      if (world.rank() == 0) result.whole = std::move(whole);
    });
  }
  check_finite(result.whole);
  for (const weft::Tensor& band : result.bands.of_rank) check_finite(band);
  const char* const done = options.command == Command::generate ? "generate, " : "evaluate, ";
  watch.lap(done + extent_of(options, request ? static_cast<weft::Index>(request->sampler.size()) : 0));
  return result;
}

}  // namespace command
