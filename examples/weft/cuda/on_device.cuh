// The definitions of device.cuh.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "../bench/rank.hpp"
#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "device.cuh"
#include "devices.cuh"
#include "kernels.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/weft.hpp"

namespace command {

/// The world of one device without any policy.
template <class Model>
using Alone = weft::Solo<typename Model::Queue>;

inline bool is_alone(const Options& options) {
  return options.world() == 1 && options.mesh.patch_count() == 1;
}

template <class Model>
RunResult OnDevice<Model>::run(const Options& options, const ModelFolder& folder, Work work,
                               const Wanted& wanted, weft::Trace* trace) {
  if (is_alone(options))
    return run_on<Model, Single, Alone<Model>>(
        options, folder, std::move(work), wanted,
        [trace](const auto& body) {
          Alone<Model> world(1, trace ? &trace->lane(0) : nullptr);
          body(world);
        },
        OwnRanks::all(1));
  return run_on<Model, Parallel, weft::peer::World>(
      options, folder, std::move(work), wanted,
      [&options, trace](const auto& body) { weft::peer::launch(options.world(), body, {.trace = trace}); },
      OwnRanks::all(options.world()), devices_of(options));
}

/// Adds the operators of two further steps, launched one by one.
template <class Model>
void trace_operators(const Options& options, const Arch& arch, const Model& model, SizeReport& report) {
  report.traced_steps = 2;
  const auto request = random_request(model.config(), arch, report.px, options.images,
                                      report.traced_steps + 1);  // the first warms up
  weft::Lane lane;
  Alone<Model> traced(1, &lane);
  weft::Engine<Model, weft::Local, Alone<Model>>(model, {}, traced).generate(request);
  report.saturation = lane.saturation();
  int embeds = 0;  // one a step
  auto slices = lane.slices();
  std::ranges::sort(slices, {}, &weft::Lane::Slice::begin);
  for (const weft::Lane::Slice& slice : slices) {
    embeds += slice.name.starts_with("embed");
    if (embeds > 1 && std::string_view(slice.category) == "operator") report.slices.push_back(slice);
  }
}

template <class Model>
std::vector<SizeReport> OnDevice<Model>::bench(const Options& options, const Arch& arch,
                                               const std::vector<BenchCase>& sizes) {
  std::vector<SizeReport> report;
  if (is_alone(options)) {
    const Model model(config_of<Model>(arch), weft::RandomWeights{});
    Alone<Model> world;
    report = measured_sizes<Single>(options, arch, sizes, model, world);
    for (SizeReport& size : report)
      if (size.reuse.empty()) trace_operators(options, arch, model, size);
    return report;
  }
  for (const std::vector<BenchCase>& alike : by_mesh(sizes)) {
    const auto models = bench_models<Model, Parallel, weft::peer::World>(
        arch, alike.front().mesh, OwnRanks::all(options.world()), devices_of(options));
    weft::peer::launch(options.world(), [&options, &arch, &alike, &models,
                                         &report](weft::peer::World& world) {
      const auto measured = measured_sizes<Parallel>(options, arch, alike, models.of(world.rank()), world);
      if (world.rank() == 0) report.insert(report.end(), measured.begin(), measured.end());
    });
  }
  return report;
}

template <class Model>
weft::Tensor OnDevice<Model>::evaluation(const Arch& arch, int px) {
  const Model model(config_of<Model>(arch), weft::RandomWeights{});
  Alone<Model> world;
  const weft::Index side = px / latent_pixels, images = guidance_branches(model.config());
  weft::Evaluation<typename Model::Prompt> asked{
      .prompts = {},
      .latents = random_tensor({images, model.shape().channels, side, side}, 6),
      .times = weft::Tensor({images})};
  for (float& time : asked.times.data) time = 500;
  for (weft::Index i = 0; i < images; ++i)
    asked.prompts.push_back(
        random_prompt(model.config(), arch.text_tokens, static_cast<std::uint64_t>(2 * (i + 1))));
  return weft::Engine<Model, weft::Local, Alone<Model>>(model, {}, world).forward(asked);
}

}  // namespace command
