// The measurements of `bench`.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../bench.hpp"
#include "../bench_work.hpp"
#include "../parallel.hpp"
#include "../planning.hpp"
#include "devices.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/engine.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/weight_source.hpp"

namespace command {

/// Seconds from the beginning to the end of what `launch()` queues, the best of three after one to warm up.
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

/// Seconds for one `work()` among others, recorded as a step is.
template <class Queue, class Work>
double seconds_of(Queue& queue, const Work& work) {
  work();  // what is looked for once is found now
  constexpr int repeats = 20;
  const auto recorded = weft::cuda::Graph::capture(queue.stream(), [&work] {
    for (int i = 0; i < repeats; ++i) work();
  });
  return fastest(queue, [&recorded, &queue] { recorded.launch(queue.stream()); }) / repeats;
}

/// FLOP/s of a product of 8192³ of numbers of type `Operand`.
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

/// The whole output for a picture without and with its prompt, from random weights.
template <class Backend>
weft::Tensor random_evaluation(int px) {
  using World = weft::Solo<typename Backend::Queue>;
  const weft::HunyuanDiT<Backend> model(bench_config(), weft::RandomWeights{});
  World world;
  const weft::Index side = px / pixels_per_element;
  return weft::Engine<weft::HunyuanDiT<Backend>, weft::Local, World>(model, {}, world)
      .forward({.prompts = {random_prompt(model.config(), 2), random_prompt(model.config(), 4)},
                .latents = random_tensor({2, model.shape().channels, side, side}, 6),
                .times = weft::Tensor({2}, {500, 500})});
}

template <class Backend>
SizeReport measure_size(const Options& options, const std::deque<weft::HunyuanDiT<Backend>>& models, int px) {
  using World = weft::Solo<typename Backend::Queue>;
  using Engine = weft::Engine<weft::HunyuanDiT<Backend>, weft::Local, World>;
  using Clock = std::chrono::steady_clock;

  const weft::HunyuanDiT<Backend>& model = models.front();
  static constexpr int warmup = 2;
  auto request = random_request(model.config(), px, options.pictures, options.timed_steps + warmup);
  SizeReport report;
  report.px = px, report.mesh = options.mesh, report.traced_steps = 2;
  request.progress = [&report, &options](weft::Index done) {
    if (done == 1)
      report.first_step_s = std::chrono::duration<double>(Clock::now() - options.started).count();
  };
  const auto measure = [&options, &request, &report]<class Policies>(const weft::HunyuanDiT<Backend>& own,
                                                                     auto& world, Policies) {
    weft::Engine<weft::HunyuanDiT<Backend>, Policies, std::remove_reference_t<decltype(world)>> engine(
        own, options.mesh, world);
    engine.generate(request);
    if (world.rank() > 0) return;
    for (const double seconds : std::span(engine.step_seconds()).subspan(warmup))
      report.step_ms.push_back(1e3 * seconds);
  };
  if (options.world() > 1 || options.mesh.patch_count() > 1) {
    weft::peer::launch(options.world(), [&models, &measure](weft::peer::World& world) {
      measure(models[static_cast<std::size_t>(world.device())], world, Parallel());
    });
    return report;
  }
  World world;
  measure(model, world, weft::Local());

  request.progress = nullptr;
  request.sampler = random_sampler(report.traced_steps + 1);  // the first warms up
  weft::Lane lane;
  World traced(1, &lane);
  Engine(model, {}, traced).generate(request);
  int embeds = 0;  // one a step
  auto slices = lane.slices();
  std::ranges::sort(slices, {}, &weft::Lane::Slice::begin);
  for (const weft::Lane::Slice& slice : slices) {
    embeds += slice.name.starts_with("embed");
    if (embeds > 1 && std::string_view(slice.category) == "operator") report.slices.push_back(slice);
  }
  return report;
}

/// Of the current device.
inline std::string device_name() {
  cudaDeviceProp gpu;
  int device;
  weft::cuda::check(cudaGetDevice(&device), "Asking for the current device");
  weft::cuda::check(cudaGetDeviceProperties(&gpu, device), "Asking for the device's properties");
  return gpu.name;
}

template <class Backend>
BenchReport measure(const Options& options) {
  BenchReport report;
  report.device = device_name();
  {
    const Memories<weft::peer::World> memories = devices_of(options);
    std::deque<weft::HunyuanDiT<Backend>> models;
    for (int i = memories.count; i-- > 0;) {
      memories.choose(i);
      models.emplace_front(bench_config(), weft::RandomWeights{});
    }
    for (const int px : options.px)
      report.sizes.push_back(measure_size<Backend>(with_bench_mesh(options, px), models, px));
  }
  report.roofline = measured_roofline<Backend>();
  return report;
}

}  // namespace command
