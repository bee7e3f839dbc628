// Times attention at the shapes of HunyuanDiT and of its ranks: heads of 88 unless HEAD_DIM says otherwise,
// bfloat16 where the GPU has it.
#include "weft/attention.cuh"

#include <algorithm>
#include <cstdio>
#include <random>

#include "device_array.cuh"

using namespace weft;
using kernels::check;
using kernels::test::DeviceArray;

namespace {

#ifdef HEAD_DIM
constexpr int head_dim = HEAD_DIM;
#else
constexpr int head_dim = 88;
#endif

/// A (tokens, B, H, D) operand of random numbers.
template <class E>
struct Operand {
  DeviceArray<E> data;
  View<E, 4> view;

  Operand(Index tokens, Index batch, Index heads, unsigned seed)
      : data(tokens * batch * heads * head_dim), view(data.get(), {tokens, batch, heads, head_dim}) {
    std::minstd_rand random(seed);
    std::uniform_real_distribution<float> uniform(-2, 2);
    std::vector<E> host(data.size());
    for (E& e : host) e = E(uniform(random));
    data.upload(host);
  }
};

/// Returns the median time of a launch in microseconds.
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
    check(cudaEventSynchronize(end), "running attention");
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

struct Shape {
  Index queries, keys, batch, heads;
};

constexpr Shape shapes[] = {
    // self-attention
    {1024, 1024, 2, 16},
    {4096, 4096, 2, 16},
    {16384, 16384, 2, 16},
    // cross-attention
    {1024, 333, 2, 16},
    {4096, 333, 2, 16},
    {8192, 333, 2, 16},
    {16384, 333, 2, 16},
    {4096, 300, 2, 16},
    {4096, 333, 1, 16},
    {2048, 333, 2, 16},
    {4096, 77, 2, 16},
    // self-attention of patches and ranks
    {512, 4096, 2, 16},
    {512, 4096, 1, 16},
    {1024, 4096, 1, 8},
    {256, 4096, 1, 16},
    {1024, 1024, 1, 8},
    {1024, 1024, 1, 4},
    {512, 333, 1, 16},
};

template <class E>
void time_all() {
  std::printf("%7s %7s %7s %7s %10s %16s\n", "n", "S", "B", "H", "us", "useful TFLOP/s");
  for (const auto& [n, keys, batch, heads] : shapes) {
    const Operand<E> q(n, batch, heads, 1), k(keys, batch, heads, 2), v(keys, batch, heads, 3),
        out(n, batch, heads, 4);
    const double us = time([&] { kernels::attention<head_dim>(nullptr, q.view, k.view, v.view, out.view); });
    std::printf("%7d %7d %7d %7d %10.1f %16.1f\n", int(n), int(keys), int(batch), int(heads), us,
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
