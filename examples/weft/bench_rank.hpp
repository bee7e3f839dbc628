// The work of one rank under `bench`, for every backend and communicator.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <span>
#include <vector>

#include "bench.hpp"
#include "bench_work.hpp"
#include "memories.hpp"
#include "transfers.hpp"
#include "weft/engine.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/weight_source.hpp"

namespace command {

/// Returns when all ranks have come, and have done what they had queued.
template <class Backend, class World>
void await_all(typename Backend::Queue& queue, World& world) {
  const typename Backend::template Buffer<double> one(queue, 1);
  world.all_reduce(queue, one.view(std::array{weft::Index{1}}));
  queue.synchronize();
}

/// The loop of one size, as a first and as a second request with another seed.
template <class Policies, class Backend, class World>
SizeReport measured_size(const Options& options, const BenchCase& size,
                         const weft::HunyuanDiT<Backend>& model, World& world) {
  using Clock = std::chrono::steady_clock;
  const int unsteady = std::max(size.mesh.warmup, 1) + 1;  // steps, the first after the warm-up included
  SizeReport report;
  report.px = size.px, report.mesh = size.mesh;
  auto request = random_request(model.config(), size.px, options.images, unsteady + options.timed_steps);
  request.progress = [&report, &options](weft::Index done) {
    if (done == 1)
      report.first_step_s = std::chrono::duration<double>(Clock::now() - options.started).count();
  };
  weft::Engine<weft::HunyuanDiT<Backend>, Policies, World> engine(model, size.mesh, world);
  for (RequestReport& timed : report.requests) {
    await_all<Backend>(engine.queue(), world);
    engine.generate(request);
    timed.ms = 1e3 * engine.request_seconds();
    for (const double seconds : engine.step_seconds()) timed.step_ms.push_back(1e3 * seconds);
    ++request.seed, request.progress = nullptr;
  }
  const auto steady = std::span(report.requests.back().step_ms).subspan(static_cast<std::size_t>(unsteady));
  report.step_ms.assign(steady.begin(), steady.end());
  for (const double seconds : engine.queue().launch_seconds()) report.launch_ms.push_back(1e3 * seconds);
  return report;
}

/// Sizes of one mesh, and its transfers. All ranks call this together; rank 0's is printed.
template <class Policies, class Backend, class World>
BenchReport measured_rank(const Options& options, const std::vector<BenchCase>& sizes,
                          const weft::HunyuanDiT<Backend>& model, World& world) {
  BenchReport report;
  for (const BenchCase& size : sizes)
    report.sizes.push_back(measured_size<Policies>(options, size, model, world));
  report.transfers = measured_transfers<Backend>(sizes.front().mesh, world);
  return report;
}

/// Random weights for the ranks of a mesh, of their own blocks.
template <class Backend, class Policies, class World>
auto bench_models(const weft::Mesh& mesh, const OwnRanks& ranks, const Memories& memories = {}) {
  using Model = weft::HunyuanDiT<Backend>;
  const weft::HunyuanConfig config = bench_config();
  return models_in<Model>(
      memories, ranks,
      [&mesh, &config](int rank) {
        return weft::Engine<Model, Policies, World>::blocks(mesh, rank, config.shape());
      },
      [&config](std::deque<Model>& at, const std::vector<weft::Range>& blocks, const auto& others) {
        at.emplace_front(config, weft::RandomWeights{}, blocks, others);
      });
}

}  // namespace command
