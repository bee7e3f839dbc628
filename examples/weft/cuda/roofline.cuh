// The rates that a CUDA device reaches, beside which `bench` reports.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "../bench/report.hpp"
#include "kernels.cuh"

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

}  // namespace command
