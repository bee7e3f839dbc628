// Times attention at the shapes of HunyuanDiT: 16 heads, of 88 unless HEAD_DIM says otherwise, a guidance
// batch of 2, bfloat16 where the GPU has it.
#include "weft/attention.cuh"

#include <algorithm>
#include <cstdio>
#include <random>

#include "device_array.cuh"

using namespace weft;
using kernels::check;
using kernels::test::DeviceArray;

namespace {

constexpr Index batch = 2, heads = 16;
#ifdef HEAD_DIM
constexpr int head_dim = HEAD_DIM;
#else
constexpr int head_dim = 88;
#endif

/// (tokens, B, H, D) of random numbers.
template <class E>
struct Operand {
  DeviceArray<E> data;
  View<E, 4> view;

  Operand(Index tokens, unsigned seed)
      : data(tokens * batch * heads * head_dim), view(data.get(), {tokens, batch, heads, head_dim}) {
    std::minstd_rand random(seed);
    std::uniform_real_distribution<float> uniform(-2, 2);
    std::vector<E> host(data.size());
    for (E& e : host) e = E(uniform(random));
    data.upload(host);
  }
};

/// The median time of a launch in microseconds.
template <class Launch>
double time(Launch&& launch) {
  constexpr int samples = 21;
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  const auto milliseconds = [&](int launches) {
    check(cudaEventRecord(begin), "cudaEventRecord");
    for (int i = 0; i < launches; ++i) launch();
    check(cudaEventRecord(end), "cudaEventRecord");
    check(cudaEventSynchronize(end), "Running attention");
    float out;
    check(cudaEventElapsedTime(&out, begin, end), "cudaEventElapsedTime");
    return out / launches;
  };
  milliseconds(1);
  const int launches = std::clamp(static_cast<int>(5 / milliseconds(3)), 3, 100);
  std::vector<float> times(samples);
  for (float& t : times) t = milliseconds(launches);
  std::nth_element(times.begin(), times.begin() + samples / 2, times.end());
  return 1e3 * times[samples / 2];
}

template <class E>
void time_all() {
  std::printf("%7s %7s %10s %16s\n", "n", "S", "us", "useful TFLOP/s");
  constexpr Index shapes[][2] = {{1024, 1024}, {4096, 4096}, {16384, 16384}, {1024, 333},
                                 {4096, 333},  {16384, 333}, {512, 4096},    {256, 4096}};
  for (const auto& [n, keys] : shapes) {
    const Operand<E> q(n, 1), k(keys, 2), v(keys, 3), out(n, 4);
    const double us = time([&] { kernels::attention<head_dim>(nullptr, q.view, k.view, v.view, out.view); });
    std::printf("%7d %7d %10.1f %16.1f\n", int(n), int(keys), us,
                4e-6 * n * keys * batch * heads * head_dim / us);
  }
}

}  // namespace

int main() {
  if (kernels::current_tier() == kernels::Tier::sm70) {
    time_all<__half>();
  } else {
    time_all<__nv_bfloat16>();
  }
}
