// Times the layer of a block's queries, keys and values with the call of attention that follows, under
// Ulysses with its transfers, on as many GPUs as the argument says. Shapes are those of a block at 1024 px.
#include <cuda_bf16.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/policy/ulysses.hpp"

namespace {

using weft::Index;
using weft::View;

struct Shape {
  const char* name;
  Index prefix, tokens, images, heads, head_dim;
};
constexpr Shape shapes[] = {{"HunyuanDiT", 0, 4096, 2, 16, 88},
                            {"PixArt-Sigma", 0, 4096, 2, 16, 72},
                            {"SD3.5-large", 333, 4429, 2, 38, 64},
                            {"FLUX.1-dev", 512, 4608, 1, 24, 128}};

template <int head_dim>
double microseconds(weft::peer::World& world, const Shape& shape) {
  using Backend = weft::Cuda<__nv_bfloat16, head_dim>;
  using Policies = weft::Ulysses<>::On<Backend, weft::peer::Communicator>;
  using E = __nv_bfloat16;
  const weft::Mesh mesh{.ulysses = world.size()};
  weft::Job job{.model = {.heads = shape.heads, .head_dim = head_dim},
                .layout = {.tokens = shape.tokens, .ulysses = world.size()},
                .prefix = shape.prefix,
                .images = shape.images,
                .layers = 1,
                .steps = 1};
  auto queue = Backend::queue(world);
  Policies policies(world, mesh);
  const Index rows = job.layout.of_rank(0, world.rank()).size(), width = shape.heads * head_dim;
  typename Backend::template Buffer<E> x, weights, bias, qkv, out;
  typename Backend::template Buffer<float> ones(queue, head_dim);
  fill(queue, 1.0f, ones.view(std::array{Index{head_dim}}));
  queue.take_together([&] {
    policies.prepare(queue, job);
    x = {queue, rows * shape.images * width};
    weights = {queue, 3 * width * width};
    bias = {queue, 3 * width};
    qkv = {queue, rows * shape.images * 3 * width};
    out = {queue, rows * shape.images * width};
  });
  const View<E, 3> all = qkv.view(std::array{rows, shape.images, 3 * width});
  const auto part = [&](Index i) {
    return all.template slice<2>({i * width, (i + 1) * width}).unfold(head_dim);
  };
  const weft::NormWeights norm{.scale = ones.view(std::array{Index{head_dim}}), .kind = weft::NormKind::rms};
  const weft::HeadsOf<Backend> heads{
      .q = part(0),
      .k = part(1),
      .v = part(2),
      .q_norm = &norm,
      .k_norm = &norm,
      .projection = {x.view(std::array{rows * shape.images, width}),
                     {weights.view(std::array{3 * width, width}), bias.view(std::array{3 * width})},
                     qkv.view(std::array{rows * shape.images, 3 * width})}};
  const View<E, 4> result = out.view(std::array{rows, shape.images, shape.heads, Index{head_dim}});
  constexpr int calls = 20, runs = 6;
  const auto recorded = queue.record(
      [&](Index) {
        for (int i = 0; i < calls; ++i) {
          const weft::Scope scope{0, {.patches = {0, 1}}, {0, shape.tokens}};
          policies.attend(queue, scope, policies.place(queue, scope, heads), result);
        }
      },
      0);
  typename Backend::Queue::Milestones passed(runs + 1, nullptr);
  for (int run = 0; run < runs; ++run) {
    passed.pass(queue);
    queue.replay(recorded, run);
  }
  passed.pass(queue);
  const std::vector<double> seconds = passed.watch();
  return *std::min_element(seconds.begin() + 1, seconds.end()) / calls * 1e6;
}

double microseconds(weft::peer::World& world, const Shape& shape) {
  switch (shape.head_dim) {
    case 64:
      return microseconds<64>(world, shape);
    case 72:
      return microseconds<72>(world, shape);
    case 88:
      return microseconds<88>(world, shape);
    default:
      return microseconds<128>(world, shape);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int gpus = argc > 1 ? std::atoi(argv[1]) : 2;
  std::printf("us a layer and attention   one GPU   its share   %d GPUs\n", gpus);
  for (const Shape& shape : shapes) {
    const auto on = [&shape](int ranks) {
      double out = 0;
      weft::peer::launch(ranks, [&](weft::peer::World& world) {
        const double own = microseconds(world, shape);
        if (world.rank() == 0) out = own;
      });
      return out;
    };
    const double one = on(1);
    std::printf("%-26s %8.1f %11.1f %8.1f\n", shape.name, one, one / gpus, on(gpus));
  }
}
