// Times matrix products of models beside cuBLASLt's first choice, with what follows them, in a pass of its
// own where cuBLASLt has no epilogue for it: bfloat16.
#include "weft/product.cuh"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>

#include "device_array.cuh"
#include "weft/backend/cuda/linear.cuh"

using namespace weft;
using kernels::check;
using kernels::test::DeviceArray;
using E = __nv_bfloat16;

namespace {

DeviceArray<E> random_array(Index count, float range, unsigned seed) {
  DeviceArray<E> out(count);
  std::minstd_rand random(seed);
  std::normal_distribution<float> normal(0, range);
  std::vector<E> some(std::min<Index>(count, 1 << 20)), host(count);
  for (E& e : some) e = E(normal(random));
  for (Index i = 0; i < count; ++i) host[i] = some[(i * 7919 + i / 1000003) % some.size()];
  out.upload(host);
  return out;
}

/// Returns the median time of each launch in microseconds; they take turns, so that all meet the same clocks.
template <std::size_t Count>
std::array<double, Count> time(cudaStream_t stream,
                               const std::array<std::function<void()>, Count>& launches) {
  constexpr int samples = 9, repeats = 8;
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  std::array<std::array<float, samples>, Count> times;
  for (int sample = 0; sample < samples; ++sample)
    for (std::size_t i = 0; i < Count; ++i) {
      launches[i]();
      check(cudaEventRecord(begin, stream), "cudaEventRecord");
      for (int repeat = 0; repeat < repeats; ++repeat) launches[i]();
      check(cudaEventRecord(end, stream), "cudaEventRecord");
      check(cudaEventSynchronize(end), "running a product");
      check(cudaEventElapsedTime(&times[i][sample], begin, end), "cudaEventElapsedTime");
    }
  std::array<double, Count> out;
  for (std::size_t i = 0; i < Count; ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + samples / 2, times[i].end());
    out[i] = 1e3 * times[i][samples / 2] / repeats;
  }
  return out;
}

struct Size {
  const char* name;
  Index rows, inputs, outputs;
};

constexpr Size sizes[] = {
    {"sd3.5-l qkv", 8192, 2432, 7296},  {"sd3.5-l out", 8192, 2432, 2432},
    {"sd3.5-l up", 8192, 2432, 9728},   {"sd3.5-l down", 8192, 9728, 2432},
    {"flux qkv", 4096, 3072, 9216},     {"flux out", 4096, 3072, 3072},
    {"flux up", 4096, 3072, 12288},     {"flux down", 4096, 12288, 3072},
    {"flux single", 4608, 3072, 21504}, {"flux single out", 4608, 15360, 3072},
    {"pixart qkv", 8192, 1152, 3456},   {"pixart out", 8192, 1152, 1152},
    {"pixart up", 8192, 1152, 4608},    {"pixart down", 8192, 4608, 1152},
    {"hunyuan qkv", 8192, 1408, 4224},  {"hunyuan out", 8192, 1408, 1408},
    {"hunyuan up", 8192, 1408, 6144},   {"hunyuan down", 8192, 6144, 1408},
    {"hunyuan skip", 8192, 2816, 1408}, {"half up", 4096, 1408, 6144},
    {"quarter up", 2048, 1408, 6144},   {"eighth up", 1024, 1408, 6144},
    {"quarter down", 2048, 6144, 1408}, {"text out", 666, 2432, 2432},
    {"odd", 4301, 1160, 2440},
};

void compare(const Size& s) {
  using namespace kernels;
  const Index images = 2, sets = 4;
  const DeviceArray<E> x = random_array(s.rows * s.inputs, 1, 1),
                       weights = random_array(sets * s.outputs * s.inputs, 0.03f, 2),
                       bias = random_array(s.outputs, 1, 3),
                       residual = random_array(s.rows * s.outputs, 1, 4);
  DeviceArray<E> own(s.rows * s.outputs), other(s.rows * s.outputs);
  std::vector<float> factors(images * s.outputs);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = 0.5f + static_cast<float>(i % 17) / 10;
  DeviceArray<float> gate(factors.size());
  gate.upload(factors);
  cuda::Queue queue;
  const auto stream = queue.stream();
  int turn = 0;
  const View<const float, 3> gates(gate.get(), {1, images, s.outputs});
  const auto weight = [&] { return weights.get() + turn++ % sets * s.outputs * s.inputs; };
  DeviceArray<E> between(s.rows * s.outputs);
  const auto by_library = [&](Activation activation, bool gated, E* out) {
    const View<E, 2> to(out, {s.rows, s.outputs}), product(gated ? between.get() : out, to.extent);
    Epilogue<E> epilogue{.activation = activation};
    if (gated) {
      epilogue.residual = View<const E, 2>(to);
      epilogue.gate = {gates, {}};
    }
    const LinearWeights<E> layer{View<const E, 2>(weight(), {s.outputs, s.inputs}),
                                 View<const E, 1>(bias.get(), {s.outputs})};
    cuda::detail::run_linear_by<E, E, E>(queue, product, View<const E, 2>(x.get(), {s.rows, s.inputs}), layer,
                                         to, epilogue);
  };
  const auto by_weft = [&](Activation activation, bool gated, E* out) {
    const View<E, 3> to(out, {1, s.rows, s.outputs});
    Finish<E> finish{.bias = bias.get(), .activation = activation};
    if (gated) {
      finish.gate = {gate.get(), 0, s.outputs, images, {}};
      finish.residual = View<const E, 3>(to);
    }
    kernels::product<E, E>(stream,
                           {View<const E, 3>(x.get(), {1, s.rows, s.inputs}),
                            View<const E, 3>(weight(), {1, s.outputs, s.inputs}),
                            {},
                            finish,
                            to},
                           queue.products().partial_sums());
  };
  const double flop = 2e-6 * s.rows * s.inputs * s.outputs;
  std::printf("%-16s %5lld %5lld %5lld", s.name, static_cast<long long>(s.rows),
              static_cast<long long>(s.inputs), static_cast<long long>(s.outputs));
  const auto host = [&](E* data) {
    std::vector<E> out(s.rows * s.outputs);
    check(cudaStreamSynchronize(stream), "waiting");
    check(cudaMemcpy(out.data(), data, out.size() * sizeof(E), cudaMemcpyDeviceToHost), "copying");
    return out;
  };
  for (const auto& [name, activation, gated] :
       {std::tuple{"bias", Activation::none, false}, std::tuple{"gelu", Activation::gelu_tanh, false},
        std::tuple{"gate", Activation::none, true}}) {
    const auto reset = [&] {
      for (E* to : {own.get(), other.get()})
        check(cudaMemcpy(to, residual.get(), s.rows * s.outputs * sizeof(E), cudaMemcpyDeviceToDevice),
              "copying");
      turn = 0;
    };
    const auto error = [&] {
      reset();
      by_library(activation, gated, other.get());
      turn = 0;
      by_weft(activation, gated, own.get());
      const auto a = host(own.get()), b = host(other.get());
      double difference = 0, norm = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = static_cast<float>(a[i]) - static_cast<float>(b[i]);
        difference += d * d;
        norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
      }
      return std::sqrt(difference / norm);
    };
    const double e = error();
    const auto t = time<2>(stream, {[&] { by_library(activation, gated, other.get()); },
                                    [&] { by_weft(activation, gated, own.get()); }});
    std::printf(" | %s %.1f (%.0f) %.1f (%.0f) %.2f, %.1e", name, t[0], flop / t[0], t[1], flop / t[1],
                t[0] / t[1], e);
    std::fflush(stdout);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  for (const Size& size : sizes) compare(size);
}
