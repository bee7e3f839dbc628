// The measurements of one rank, for every backend and communicator.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../input/archs.hpp"
#include "../options/options.hpp"
#include "../run/memories.hpp"
#include "case.hpp"
#include "random_work.hpp"
#include "report.hpp"
#include "weft/engine.hpp"
#include "weft/model/weight_source.hpp"

namespace command {

template <class Model>
using ConfigOf = std::remove_cvref_t<decltype(std::declval<const Model&>().config())>;

/// Returns the settings of an architecture of this model.
template <class Model>
ConfigOf<Model> config_of(const Arch& arch) {
  return std::get<ConfigOf<Model>>(settings_of(arch));
}

/// Waits until all ranks have called this and finished their queued work.
template <class Backend, class World>
void await_all(typename Backend::Queue& queue, World& world) {
  const typename Backend::template Buffer<double> one(queue, 1);
  world.all_reduce(queue, one.view(std::array{weft::Index{1}}));
  queue.synchronize();
}

/// Returns the times of the loop at one size, for a first request and a second with another seed.
template <class Policies, class Model, class World>
SizeReport measured_size(const Options& options, const Arch& arch, const BenchCase& size, const Model& model,
                         World& world) {
  using Clock = std::chrono::steady_clock;
  const int unsteady = unsteady_steps_of(size.mesh);
  SizeReport report;
  report.px = size.px;
  report.mesh = size.mesh;
  report.reuse = size.reuse;
  auto request =
      random_request(model.config(), arch, size.px, options.images, unsteady + options.timed_steps);
  request.reuse = size.reuse;
  request.progress = [&report, &options](weft::Index done) {
    if (done == 1)
      report.first_step_s = std::chrono::duration<double>(Clock::now() - options.started).count();
  };
  weft::Engine<Model, Policies, World> engine(model, size.mesh, world);
  for (RequestReport& timed : report.requests) {
    await_all<typename Model::Backend>(engine.queue(), world);
    engine.generate(request);
    timed.ms = 1e3 * engine.request_seconds();
    for (const double seconds : engine.step_seconds()) timed.step_ms.push_back(1e3 * seconds);
    ++request.seed;
    request.progress = nullptr;
  }
  const auto steady = std::span(report.requests.back().step_ms).subspan(static_cast<std::size_t>(unsteady));
  report.step_ms.assign(steady.begin(), steady.end());
  for (const double seconds : engine.queue().launch_seconds()) report.launch_ms.push_back(1e3 * seconds);
  return report;
}

/// Returns the times of all sizes of one mesh. All ranks call this together.
template <class Policies, class Model, class World>
std::vector<SizeReport> measured_sizes(const Options& options, const Arch& arch,
                                       const std::vector<BenchCase>& sizes, const Model& model,
                                       World& world) {
  std::vector<SizeReport> out;
  for (const BenchCase& size : sizes)
    out.push_back(measured_size<Policies>(options, arch, size, model, world));
  return out;
}

/// Returns models with random weights for the ranks of this process, each with the portion of its own ranks.
template <class Model, class Policies, class World>
auto bench_models(const Arch& arch, const weft::Mesh& mesh, const OwnRanks& ranks,
                  const Memories& memories = {}) {
  const ConfigOf<Model> config = config_of<Model>(arch);
  return models_in<Model>(
      memories, ranks,
      [&mesh, &config](int rank) {
        return weft::Engine<Model, Policies, World>::portion(mesh, rank, config.shape());
      },
      [&config](std::deque<Model>& at, const weft::Portion& portion, const auto& others) {
        at.emplace_front(config, weft::RandomWeights{}, portion, others);
      });
}

}  // namespace command
