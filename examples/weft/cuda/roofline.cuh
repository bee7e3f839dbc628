// The measurements of `bench` on CUDA devices.
#pragma once

#include <algorithm>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../bench/rank.hpp"
#include "../input/hunyuan_v12.hpp"
#include "../parallel.hpp"
#include "devices.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/engine.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/weft.hpp"

namespace command {

/// Returns the seconds of the work that `launch()` queues, in the best of three runs after a warm-up.
template <class Queue, class Launch>
double fastest(Queue& queue, const Launch& launch) {
  using weft::cuda::Event;
  double best = std::numeric_limits<double>::infinity();
  for (int time = 0; time < 4; ++time) {
    const auto begin = weft::cuda::moment_in(queue.stream(), Event::Kind::time);
    launch();
    const auto end = weft::cuda::moment_in(queue.stream(), Event::Kind::time);
    queue.synchronize();
    float milliseconds = 0;
    weft::cuda::check(cudaEventElapsedTime(&milliseconds, begin->get(), end->get()), "Timing");
    if (time > 0) best = std::min(best, 1e-3 * milliseconds);
  }
  return best;
}

/// Returns the seconds of one `work()` in a recording of many, as a step is recorded.
template <class Queue, class Work>
double seconds_of(Queue& queue, const Work& work) {
  work();  // algorithms are chosen on the first call
  constexpr int repeats = 20;
  const auto recorded = weft::cuda::Graph::capture(queue.stream(), [&work] {
    for (int i = 0; i < repeats; ++i) work();
  });
  return fastest(queue, [&recorded, &queue] { recorded.launch(queue.stream()); }) / repeats;
}

/// Returns the FLOP/s of a product of 8192³ in numbers of type `Operand`.
template <class Backend, class Operand>
double measured_flop_rate() {
  using Element = typename Backend::Element;
  typename Backend::Queue queue;
  constexpr weft::Index side = 8192;
  const typename Backend::template Buffer<Operand> a(queue, side * side), b(queue, side * side);
  const typename Backend::template Buffer<Element> c(queue, side * side);
  for (const auto* numbers : {&a, &b}) {
    typename Backend::Loader loader(queue);
    loader.fill(weft::RandomNumbers{1, 0, 0, 1}, numbers->view(std::array{weft::Index{1}, side, side}));
  }
  const auto square = [](const auto& numbers) { return numbers.view(std::array{side, side}); };
  const weft::LinearWeights<Element, Operand> weights{.weight = square(b)};
  return 2.0 * side * side * side / seconds_of(queue, [&queue, &square, &weights, &a, &c] {
           linear(queue, square(a), weights, square(c));
         });
}

template <class Backend>
Roofline measured_roofline() {
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  Roofline roofline{.flop_rate = measured_flop_rate<Backend, Element>()};
  if constexpr (!std::is_same_v<Operand, Element>)
    roofline.e4m3_rate = measured_flop_rate<Backend, Operand>();
  typename Backend::Queue queue;
  constexpr weft::Index gib = weft::Index{1} << 30;
  const typename Backend::template Buffer<char> from(queue, gib), to(queue, gib);
  const double copied = fastest(queue, [&queue, &from, &to] {
    weft::cuda::check(cudaMemcpyAsync(to.view(std::array{gib}).data, from.view(std::array{gib}).data, gib,
                                      cudaMemcpyDeviceToDevice, queue.stream()),
                      "Copying");
  });
  roofline.memory_rate = 2.0 * gib / copied;
  return roofline;
}

/// Returns the model's output for random latents, with and without the prompt, from random weights.
template <class Backend>
weft::Tensor random_evaluation(int px) {
  using World = weft::Solo<typename Backend::Queue>;
  const weft::HunyuanDiT<Backend> model(hunyuan_v12(), weft::RandomWeights{});
  World world;
  const weft::Index side = px / latent_pixels;
  return weft::Engine<weft::HunyuanDiT<Backend>, weft::Local, World>(model, {}, world)
      .forward({.prompts = {random_prompt(model.config(), 2), random_prompt(model.config(), 4)},
                .latents = random_tensor({2, model.shape().channels, side, side}, 6),
                .times = weft::Tensor({2}, {500, 500})});
}

/// Adds the operators of two further steps, launched one by one.
template <class Backend>
void trace_operators(const Options& options, const weft::HunyuanDiT<Backend>& model, SizeReport& report) {
  using World = weft::Solo<typename Backend::Queue>;
  report.traced_steps = 2;
  const auto request = random_request(model.config(), report.px, options.images,
                                      report.traced_steps + 1);  // the first warms up
  weft::Lane lane;
  World traced(1, &lane);
  weft::Engine<weft::HunyuanDiT<Backend>, weft::Local, World>(model, {}, traced).generate(request);
  int embeds = 0;  // one a step
  auto slices = lane.slices();
  std::ranges::sort(slices, {}, &weft::Lane::Slice::begin);
  for (const weft::Lane::Slice& slice : slices) {
    embeds += slice.name.starts_with("embed");
    if (embeds > 1 && std::string_view(slice.category) == "operator") report.slices.push_back(slice);
  }
}

/// Returns the measurements of one device without any policy.
template <class Backend>
BenchReport measured_alone(const Options& options, const std::vector<BenchCase>& sizes) {
  using World = weft::Solo<typename Backend::Queue>;
  const weft::HunyuanDiT<Backend> model(hunyuan_v12(), weft::RandomWeights{});
  World world;
  BenchReport report = measured_rank<weft::Local>(options, sizes, model, world);
  for (SizeReport& size : report.sizes) trace_operators(options, model, size);
  return report;
}

/// Returns the measurements of the ranks of this process.
template <class Backend>
BenchReport measured_together(const Options& options, const std::vector<BenchCase>& sizes) {
  using World = weft::peer::World;
  BenchReport report;
  for (const std::vector<BenchCase>& alike : by_mesh(sizes)) {
    const auto models = bench_models<Backend, Parallel, World>(
        alike.front().mesh, OwnRanks::all(options.world()), devices_of(options));
    weft::peer::launch(options.world(), [&options, &alike, &models, &report](World& world) {
      const auto& own = models[static_cast<std::size_t>(world.device())];
      const BenchReport measured = measured_rank<Parallel>(options, alike, own, world);
      if (world.rank() == 0) append(report, measured);
    });
  }
  return report;
}

template <class Backend>
BenchReport measure(const Options& options, const std::vector<BenchCase>& sizes) {
  const bool is_alone = options.world() == 1 && options.mesh.patch_count() == 1;
  return is_alone ? measured_alone<Backend>(options, sizes) : measured_together<Backend>(options, sizes);
}

}  // namespace command
