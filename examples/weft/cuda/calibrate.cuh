// Measurements of the hardware that the planner models.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "../bench/link_times.hpp"
#include "../plan/kernel_sizes.hpp"
#include "roofline.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/plan/hardware.hpp"

namespace command {

/// An array of random numbers on the device.
template <class Backend>
class Operand {
 public:
  using Element = typename Backend::Element;

  Operand(typename Backend::Queue& queue, weft::Index size) : numbers_(queue, size) {
    typename Backend::Loader loader(queue);
    loader.fill(weft::RandomNumbers{1, 0, 0, 1},
                numbers_.view(std::array{weft::Index{1}, weft::Index{1}, size}));
  }

  template <class... Extents>
  auto view(Extents... extents) const {
    return numbers_.view(std::array{weft::Index{extents}...});
  }

 private:
  typename Backend::template Buffer<Element> numbers_;
};

/// Returns the seconds of one call of the kernel.
template <class Backend>
double measured_seconds(typename Backend::Queue& queue, const KernelSize& size) {
  using Operands = Operand<Backend>;
  using Element = typename Backend::Element;
  const auto [kind, m, n, k] = size;
  if (kind == KernelSize::product) {
    const Operands a(queue, m * k), b(queue, n * k), c(queue, m * n);
    return seconds_of(queue, [&queue, &a, &b, &c, m, n, k] {
      linear(queue, a.view(m, k), weft::LinearWeights<Element>{.weight = b.view(n, k)}, c.view(m, n));
    });
  }
  constexpr weft::Index d = KernelSize::head_dim;
  const Operands q(queue, m * k * d), keys(queue, n * k * d), values(queue, n * k * d), out(queue, m * k * d);
  constexpr weft::Index images = 1;
  return seconds_of(queue, [&queue, &q, &keys, &values, &out, m, n, k] {
    attention(queue, q.view(m, images, k, d), keys.view(n, images, k, d), values.view(n, images, k, d),
              out.view(m, images, k, d));
  });
}

template <class Backend>
std::vector<double> measured_kernels(const std::vector<KernelSize>& sizes) {
  typename Backend::Queue queue;
  std::vector<double> seconds;
  for (const KernelSize& size : sizes) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // clocks are low after a large kernel
    seconds.push_back(measured_seconds<Backend>(queue, size));
  }
  return seconds;
}

/// Returns `known` with the rates at which the model predicts the measured times of large kernels, on the
/// current device.
template <class Backend>
weft::planner::Gpu calibrated_gpu(weft::planner::Gpu known) {
  typename Backend::Queue queue;
  cudaDeviceProp properties;
  int device;
  weft::cuda::check(cudaGetDevice(&device), "Asking for the current device");
  weft::cuda::check(cudaGetDeviceProperties(&properties, device), "Asking for the device's properties");
  weft::planner::Gpu& gpu = known;
  gpu.memory = static_cast<double>(properties.totalGlobalMem);
  gpu.multiprocessors = properties.multiProcessorCount;
  gpu.memory_rate = measured_roofline<Backend>().memory_rate;
  gpu.launch = 0;  // until it is measured
  // At rates of 1 the model predicts the work itself, so the rate is that by the measured time.
  const weft::planner::Gpu unit{
      .matrix_rate = 1, .attention_rate = 1, .memory_rate = 1e30, .multiprocessors = gpu.multiprocessors};
  const auto rate_of = [&queue, &unit](const KernelSize& size) {
    return size.predicted(unit) / measured_seconds<Backend>(queue, size);
  };
  gpu.matrix_rate = rate_of({KernelSize::product, 8192, 6144, 1408});
  gpu.attention_rate = rate_of({KernelSize::attention, 4096, 4096, 32});
  const KernelSize small{KernelSize::product, 256, 1408, 1408};
  gpu.launch = std::max(measured_seconds<Backend>(queue, small) - small.predicted(gpu), 1e-6);
  return gpu;
}

/// Returns `known` with the measured rates of the links between the GPUs of this process.
template <class Backend>
weft::planner::Hardware with_peer_links(weft::planner::Hardware known) {
  const int devices = weft::peer::connected_device_count();
  if (devices == 1) return known;
  weft::peer::launch(devices, [&known, devices](weft::peer::World& world) {
    const LinkTimes near = measured_links<Backend>(world, 1);
    const LinkTimes far = devices == 2 ? near : measured_links<Backend>(world, devices / 2);
    if (world.rank() != 0) return;
    for (const auto& [tier, times] : {std::pair(&known.tiers[0], near), std::pair(&known.tiers[1], far)}) {
      tier->shared = false;
      tier->rate = times.messages.rate;
      tier->latency = std::max(times.messages.latency - times.stores.latency, 1e-6);  // without the wait
      tier->stores = times.stores;
    }
    known.tiers[0].gpus = std::max(devices / 2, 2);
    known.tiers[1].gpus = devices;
  });
  return known;
}

}  // namespace command
