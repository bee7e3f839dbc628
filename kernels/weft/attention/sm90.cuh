// Attention on sm_90a. One block a multiprocessor takes tiles of queries in turn: its first warpgroup feeds
// keys and values through rings in shared memory, the others compute.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/attention/sm90/consumer.cuh"
#include "weft/attention/sm90/producer.cuh"
#include "weft/device.cuh"
#include "weft/tier.cuh"

namespace weft::kernels::sm90 {

template <class E, int HeadDim, class Tiles>
__global__ __launch_bounds__(Layout<E, HeadDim, Tiles>::threads,
                             1) void attend(const __grid_constant__ Maps maps,
                                            const __grid_constant__ Problem<E> problem) {
  if constexpr (compiled_tier == Tier::sm90a) {
    using L = Layout<E, HeadDim, Tiles>;
    extern __shared__ __align__(1024) unsigned char memory[];
    auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
    L::init(shared);
    if (threadIdx.x < 128) {
      shrink_registers<L::consumers == 2 ? 24 : 32>();
      if (threadIdx.x == 0) Producer<E, HeadDim, Tiles>::run(maps, shared, problem);
    } else {
      grow_registers<L::consumers == 2 ? 240 : 160>();
      Consumer<E, HeadDim, Tiles>(shared, problem, __shfl_sync(~0u, threadIdx.x / 128 - 1, 0)).run();
    }
    cluster_sync();  // nobody leaves while another block may still write here
  }
}

/// How many times as long a multiprocessor works as it would for one row of queries.
template <class Tiles>
int row_rounds(Index queries, Index sequences, int multiprocessors) {
  const Index rows = 64 * Tiles::consumers,
              clusters = (queries + rows * Tiles::cluster - 1) / (rows * Tiles::cluster);
  const Index at_once = std::max(1, multiprocessors / Tiles::cluster);
  return rows * ((clusters * sequences + at_once - 1) / at_once);
}

/// How many keys the tiles hold.
template <class Tiles>
Index padded(Index keys) {
  return (keys + Tiles::keys - 1) / Tiles::keys * Tiles::keys;
}

template <int HeadDim, class Tiles, class E>
void launch_tiled(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                  View<E, 4> out, View<float, 3> lse, int multiprocessors) {
  using L = Layout<E, HeadDim, Tiles>;
  const int queries = q.extent[0], keys = k.extent[0], batch = q.extent[1], heads = q.extent[2];
  const int clusters = (queries + L::rows * L::cluster - 1) / (L::rows * L::cluster) * batch * heads;
  const float scale = 1.44269504089f / std::sqrt(float(HeadDim));
  const Problem<E> problem{
      {out, lse}, queries, keys, heads, clusters / (batch * heads) * L::cluster, clusters * L::cluster,
      scale};
  const Maps maps{box_maps<HeadDim, L::rows>(q, "q"), box_maps<HeadDim, L::keys / L::cluster>(k, "k"),
                  box_maps<HeadDim, L::keys / L::cluster>(v, "v")};

  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {L::cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = std::min(clusters, multiprocessors / L::cluster) * L::cluster;
  config.blockDim = L::threads;
  config.dynamicSmemBytes = sizeof(typename L::Shared);
  config.stream = stream;
  config.attrs = &cluster, config.numAttrs = 1;
  const auto kernel = attend<E, HeadDim, Tiles>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, config.dynamicSmemBytes),
        "Reserving attention's shared memory");
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "Launching attention");
}

template <int HeadDim, class E>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                      View<E, 4> out, View<float, 3> lse) {
  const int processors = multiprocessors();
  using Tall = TallTiling<HeadDim>;
  if constexpr (HeadDim <= 88) {  // above, the registers do not suffice
    constexpr double tall_row = 0.945;
    const Index sequences = q.extent[1] * q.extent[2];
    if (tall_row * row_rounds<Tall>(q.extent[0], sequences, processors) <
        row_rounds<Tiling<HeadDim>>(q.extent[0], sequences, processors)) {
      return launch_tiled<HeadDim, Tall>(stream, q, k, v, out, lse, processors);
    }
  }
  using Narrow = NarrowTiling<HeadDim>;
  constexpr double narrow_key = 1.13;
  const Index keys = k.extent[0];
  if (narrow_key * padded<Narrow>(keys) < padded<Tiling<HeadDim>>(keys))
    return launch_tiled<HeadDim, Narrow>(stream, q, k, v, out, lse, processors);
  launch_tiled<HeadDim, Tiling<HeadDim>>(stream, q, k, v, out, lse, processors);
}

}  // namespace weft::kernels::sm90
