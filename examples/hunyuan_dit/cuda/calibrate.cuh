// Measures what the planner knows of hardware.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "../kernel_times.hpp"
#include "measure.cuh"
#include "weft/plan/machines.hpp"

namespace command {

/// Random numbers on the device.
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

/// Seconds of one call of the kernel.
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
  constexpr weft::Index pictures = 1;
  return seconds_of(queue, [&queue, &q, &keys, &values, &out, m, n, k] {
    attention(queue, q.view(m, pictures, k, d), keys.view(n, pictures, k, d), values.view(n, pictures, k, d),
              out.view(m, pictures, k, d));
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

/// Seconds of a copy of so many bytes from the current device to another.
template <class Queue>
double copy_seconds(Queue& queue, int other, std::size_t bytes) {
  int here;
  weft::cuda::check(cudaGetDevice(&here), "Asking for the current device");
  void *from, *to;
  weft::cuda::check(cudaMalloc(&from, bytes), "Taking memory");
  weft::cuda::check(cudaSetDevice(other), "Choosing a device");
  weft::cuda::check(cudaMalloc(&to, bytes), "Taking memory");
  weft::cuda::check(cudaSetDevice(here), "Choosing a device");
  if (cudaDeviceEnablePeerAccess(other, 0) != cudaSuccess) cudaGetLastError();  // staged, or enabled already
  const double seconds = fastest(queue, [&queue, from, to, here, other, bytes] {
    weft::cuda::check(cudaMemcpyPeerAsync(to, other, from, here, bytes, queue.stream()),
                      "Copying to a device");
  });
  cudaFree(from), cudaFree(to);
  return seconds;
}

/// The link to another device: what a long copy takes beyond a short one.
template <class Queue>
void measure_link(Queue& queue, int other, weft::Tier& tier) {
  constexpr std::size_t few = 4, many = std::size_t{256} << 20;
  tier.latency = copy_seconds(queue, other, few);
  tier.rate = static_cast<double>(many) / (copy_seconds(queue, other, many) - tier.latency);
  tier.shared = false;
}

/// Rates are such that the model gives the measured times of large kernels.
template <class Backend>
weft::Hardware calibrated() {
  typename Backend::Queue queue;
  weft::Hardware out = weft::machine_named("h100-nvlink");
  cudaDeviceProp properties;
  int device, devices;
  weft::cuda::check(cudaGetDevice(&device), "Asking for the current device");
  weft::cuda::check(cudaGetDeviceProperties(&properties, device), "Asking for the device's properties");
  weft::cuda::check(cudaGetDeviceCount(&devices), "Counting the devices");
  weft::Gpu& gpu = out.gpu;
  gpu.memory = static_cast<double>(properties.totalGlobalMem);
  gpu.multiprocessors = properties.multiProcessorCount;
  gpu.memory_rate = measured_roofline<Backend>().memory_rate;
  gpu.launch = 0;  // until it is measured
  // Of a GPU with rates of 1 the model's time is what the rate is to be, times the time measured.
  const weft::Gpu unit{
      .matrix_rate = 1, .attention_rate = 1, .memory_rate = 1e30, .multiprocessors = gpu.multiprocessors};
  const auto rate_of = [&queue, &unit](const KernelSize& size) {
    return size.predicted(unit) / measured_seconds<Backend>(queue, size);
  };
  gpu.matrix_rate = rate_of({KernelSize::product, 8192, 6144, 1408});
  gpu.attention_rate = rate_of({KernelSize::attention, 4096, 4096, 32});
  const KernelSize small{KernelSize::product, 256, 1408, 1408};
  gpu.launch = std::max(measured_seconds<Backend>(queue, small) - small.predicted(gpu), 1e-6);
  if (devices > 1) {
    measure_link(queue, device == 0 ? 1 : 0, out.tiers[0]);
    measure_link(queue, devices - 1 == device ? 0 : devices - 1, out.tiers[1]);
    out.tiers[0].gpus = std::max(devices / 2, 2), out.tiers[1].gpus = devices;
  }
  return out;
}

}  // namespace command
