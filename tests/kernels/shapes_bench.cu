// Times attention, norms and heads in bfloat16 for 40 shapes: those of models and their ranks, small ones and
// odd ones. A version is compared with another by building this file against either; NOTES.md has what came.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "device_array.cuh"
#include "weft/attention.cuh"
#include "weft/backend/cuda/elementwise.cuh"
#include "weft/backend/cuda/loader.cuh"
#include "weft/backend/cuda/norm.cuh"

using namespace weft;
using kernels::check;
using kernels::test::DeviceArray;
using Bf16 = __nv_bfloat16;
using weft::cuda::Queue;

namespace {

/// Memory of random numbers.
DeviceArray<Bf16> random(Queue& queue, Index size, std::uint64_t seed) {
  DeviceArray<Bf16> out(size);
  weft::cuda::Loader loader(queue);
  loader.fill(RandomNumbers{seed, 0, 0, 1}, View<Bf16, 3>(out.get(), {1, 1, size}));
  queue.synchronize();
  return out;
}

/// Prints the lower quartile of 12 samples of a launch, in microseconds: each of many launches in a graph.
template <class Launch>
void report(const std::string& name, cudaStream_t stream, int launches, const Launch& launch) {
  launch();
  cudaGraph_t graph;
  cudaGraphExec_t recording;
  cudaEvent_t begin, end;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording");
  for (int i = 0; i < launches; ++i) launch();
  check(cudaStreamEndCapture(stream, &graph), "recording");
  check(cudaGraphInstantiate(&recording, graph, 0), "recording");
  check(cudaEventCreate(&begin), "timing");
  check(cudaEventCreate(&end), "timing");
  std::vector<float> times(12);
  for (float& milliseconds : times) {
    check(cudaEventRecord(begin, stream), "timing");
    check(cudaGraphLaunch(recording, stream), "timing");
    check(cudaEventRecord(end, stream), "timing");
    check(cudaEventSynchronize(end), "timing");
    check(cudaEventElapsedTime(&milliseconds, begin, end), "timing");
  }
  std::ranges::sort(times);
  std::printf("%-45s %10.2f\n", name.c_str(), 1e3 * times[times.size() / 4] / launches);
  std::fflush(stdout);
  check(cudaGraphExecDestroy(recording), "timing");
  check(cudaGraphDestroy(graph), "timing");
}

/// Times attention of `queries` tokens over `keys`, of `heads` in all images.
template <int head_dim>
void attention(Queue& queue, Index queries, Index keys, Index images, Index heads) {
  const std::array<Index, 4> of_queries{queries, images, heads, head_dim},
      of_keys{keys, images, heads, head_dim};
  const auto size = [](const std::array<Index, 4>& e) { return e[0] * e[1] * e[2] * e[3]; };
  const auto q = random(queue, size(of_queries), 1), k = random(queue, size(of_keys), 2),
             v = random(queue, size(of_keys), 3);
  const DeviceArray<Bf16> out(size(of_queries));
  const double flop = 4.0 * static_cast<double>(size(of_queries)) * static_cast<double>(keys);
  report(sentence("attention ", queries, " x ", keys, ", ", images * heads, " of ", head_dim), queue.stream(),
         std::clamp(static_cast<int>(1e13 / flop), 4, 40), [&] {
           kernels::attention<head_dim, Bf16>(queue.stream(), View<const Bf16, 4>(q.get(), of_queries),
                                              View<const Bf16, 4>(k.get(), of_keys),
                                              View<const Bf16, 4>(v.get(), of_keys),
                                              View<Bf16, 4>(out.get(), of_queries));
         });
}

/// Times a norm of rows, or of pairs of rows side by side.
void norm(Queue& queue, Index tokens, Index images, Index width, bool pairs) {
  const auto x = random(queue, tokens * images * width, 1), skip = random(queue, tokens * images * width, 2);
  const DeviceArray<Bf16> out(2 * tokens * images * width);
  DeviceArray<float> zeros(images * width);
  zeros.fill(0);
  const std::array<Index, 3> extents{tokens, images, width};
  const View<const Bf16, 3> rows(x.get(), extents), skips(skip.get(), extents);
  const View<Bf16, 3> to(out.get(), {tokens, images, pairs ? 2 * width : width});
  Modulation modulation{};
  modulation.shift = View<const float, 3>(zeros.get(), {1, images, width});
  report(sentence(pairs ? "norm of a pair " : "norm ", tokens * images, " x ", to.extent[2]), queue.stream(),
         20, [&] {
           if (pairs)
             norm_pair<Bf16>(queue, rows, skips, NormWeights{}, to);
           else
             weft::cuda::norm<Bf16>(queue, rows, NormWeights{}, modulation, to);
         });
}

/// Times a norm of heads, which may be rotated too.
void heads(Queue& queue, Index tokens, Index images, Index count, Index head_dim, bool rotates) {
  const std::array<Index, 4> extents{tokens, images, count, head_dim};
  const auto x = random(queue, tokens * images * count * head_dim, 1);
  const DeviceArray<Bf16> out(tokens * images * count * head_dim);
  DeviceArray<float> angles(tokens * head_dim);
  angles.fill(0);
  const View<const float, 2> table(angles.get(), {tokens, head_dim});
  const NormWeights weights{};
  Rotation rotation{};
  if (rotates) rotation.cos = rotation.sin = table;
  report(sentence("heads ", tokens * images, " x ", count, " of ", head_dim, rotates ? ", rotated" : ""),
         queue.stream(), 20, [&] {
           norm_rotate<Bf16>(queue, View<const Bf16, 4>(x.get(), extents), &weights, rotation,
                             View<Bf16, 4>(out.get(), extents));
         });
}

}  // namespace

int main() {
  Queue queue;
  for (const auto& [queries, keys, images, count] : std::vector<std::array<Index, 4>>{{4096, 4096, 2, 16},
                                                                                      {16384, 16384, 1, 16},
                                                                                      {16384, 16384, 2, 16},
                                                                                      {4096, 4096, 1, 16},
                                                                                      {2048, 4096, 2, 16},
                                                                                      {1024, 1024, 2, 16},
                                                                                      {512, 4096, 1, 16},
                                                                                      {4096, 333, 2, 16},
                                                                                      {1000, 333, 2, 16},
                                                                                      {77, 77, 1, 16},
                                                                                      {513, 4097, 2, 16},
                                                                                      {100, 2304, 2, 6},
                                                                                      {1, 4096, 2, 16}})
    attention<88>(queue, queries, keys, images, count);
  for (const auto& [queries, keys, count] : std::vector<std::array<Index, 3>>{{4608, 4608, 24},
                                                                              {4608, 4608, 12},
                                                                              {2304, 2304, 24},
                                                                              {4224, 4224, 24},
                                                                              {512, 4608, 24},
                                                                              {333, 4608, 12},
                                                                              {16896, 16896, 12}})
    attention<128>(queue, queries, keys, 1, count);
  for (const auto& [queries, keys, count] : std::vector<std::array<Index, 3>>{
           {4429, 4429, 38}, {4429, 4429, 19}, {1178, 1178, 38}, {300, 2000, 24}})
    attention<64>(queue, queries, keys, 2, count);
  for (const auto& [queries, keys, count] :
       std::vector<std::array<Index, 3>>{{4096, 4096, 16}, {4096, 4096, 8}, {4096, 300, 16}})
    attention<72>(queue, queries, keys, 2, count);
  for (const auto& [tokens, images, width] : std::vector<std::array<Index, 3>>{{4096, 2, 1408},
                                                                               {512, 1, 1408},
                                                                               {333, 1, 1408},
                                                                               {4429, 2, 2432},
                                                                               {4608, 1, 3072},
                                                                               {4096, 2, 1152}})
    norm(queue, tokens, images, width, false);
  norm(queue, 4096, 2, 1408, true);
  heads(queue, 4429, 2, 38, 64, false);
  for (const auto& [tokens, images, count, head_dim] : std::vector<std::array<Index, 4>>{
           {4096, 2, 16, 88}, {512, 1, 16, 88}, {77, 1, 16, 88}, {4608, 1, 24, 128}, {333, 1, 24, 128}})
    heads(queue, tokens, images, count, head_dim, true);
}
