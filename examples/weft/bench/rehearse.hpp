// Timing of ranks one after another on one device, for every backend.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "../options/options.hpp"
#include "../parallel.hpp"
#include "random_work.hpp"
#include "rehearsed_rank.hpp"
#include "weft/comm/rehearsal.hpp"
#include "weft/comm/solo.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/weft.hpp"

namespace command {

/// Returns the median seconds of a step's kernels, after the warm-up and while the pipeline is full.
template <class Policies, class World, class Model>
double seconds_a_step(const Model& model, const RehearsedRank& rank, World world,
                      const weft::Request<weft::HunyuanPrompt>& request) {
  weft::Engine<Model, Policies, World> engine(model, rank.mesh, world);
  engine.generate(request);
  const std::vector<double>& all = engine.step_seconds();
  std::vector<double> steady(all.begin() + unsteady_steps, all.end() - 1);
  std::ranges::sort(steady);
  return steady[steady.size() / 2];
}

/// Returns the seconds of a step of each rank; all share one model.
template <class Backend>
std::vector<double> rehearsed(const weft::HunyuanConfig& config, const Options& options,
                              const std::vector<RehearsedRank>& ranks,
                              typename weft::Rehearsal<typename Backend::Queue>::Fill fill) {
  using Queue = typename Backend::Queue;
  const weft::HunyuanDiT<Backend> model(config, weft::RandomWeights{});
  std::vector<double> seconds;
  for (const RehearsedRank& rank : ranks) {
    const auto request = random_request(config, archs.front(), rank.px, options.images,
                                        options.timed_steps + unsteady_steps + 1);
    seconds.push_back(
        rank.mesh.ranks() == 1
            ? seconds_a_step<weft::Local>(model, rank, weft::Solo<Queue>(), request)
            : seconds_a_step<Parallel>(model, rank,
                                       weft::Rehearsal<Queue>(rank.mesh.ranks(), rank.rank, fill), request));
  }
  return seconds;
}

}  // namespace command
