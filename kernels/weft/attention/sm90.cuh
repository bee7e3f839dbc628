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
      if constexpr (L::parts > 1) cluster_sync(), cluster_sync();  // as the consumers do
    } else {
      grow_registers<L::consumers == 2 ? 240 : 160>();
      Consumer<E, HeadDim, Tiles>(shared, problem, __shfl_sync(~0u, threadIdx.x / 128 - 1, 0)).run();
    }
    cluster_sync();  // nobody leaves while another block may still write here
  }
}

/// Clusters of blocks that a tiling needs, those that run at once, and what it costs in times that a
/// multiprocessor takes for a query and a key.
struct Fit {
  int clusters, at_once;
  double cost;
};

template <class L>
Fit fit(Index queries, Index keys, Index sequences) {
  const Index rows = L::rows * L::sharing, tiles = (keys + L::keys - 1) / L::keys;
  const int clusters = static_cast<int>((queries + rows - 1) / rows * sequences),
            at_once = std::max(1, multiprocessors() / L::cluster),
            rounds = (clusters + at_once - 1) / at_once;
  if (L::parts > 1 && (rounds > 1 || tiles < L::parts)) return {clusters, at_once, INFINITY};
  const double keys_each = static_cast<double>((tiles + L::parts - 1) / L::parts * L::keys);
  return {clusters, at_once, rounds * L::rows * (L::key_cost * keys_each + L::start_cost)};
}

template <int HeadDim, class Tiles, class E>
void launch_tiled(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                  View<E, 4> out, View<float, 3> lse, Output output, const Fit& fit) {
  using L = Layout<E, HeadDim, Tiles>;
  const int queries = q.extent[0], keys = k.extent[0], batch = q.extent[1], heads = q.extent[2];
  const int tiles = fit.clusters * L::sharing;
  const float scale = 1.44269504089f / std::sqrt(float(HeadDim));
  const Problem<E> problem{{out, lse, output}, queries, keys, heads, tiles / (batch * heads), tiles, scale};
  const Maps maps{box_maps<HeadDim, L::rows>(q, "q"), box_maps<HeadDim, L::keys / L::sharing>(k, "k"),
                  box_maps<HeadDim, L::keys / L::sharing>(v, "v")};

  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {L::cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = std::min(fit.clusters, fit.at_once) * L::cluster;
  config.blockDim = L::threads;
  config.dynamicSmemBytes = sizeof(typename L::Shared);
  config.stream = stream;
  config.attrs = &cluster, config.numAttrs = 1;
  const auto kernel = attend<E, HeadDim, Tiles>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, config.dynamicSmemBytes),
        "Reserving attention's shared memory");
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "Launching attention");
}

/// With that of these tilings that costs least.
template <int HeadDim, class... Tiles, class E>
void launch_cheapest(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                     View<E, 4> out, View<float, 3> lse, Output output) {
  const Fit fits[] = {fit<Layout<E, HeadDim, Tiles>>(q.extent[0], k.extent[0], q.extent[1] * q.extent[2])...};
  const Fit* const best = std::ranges::min_element(fits, {}, &Fit::cost);
  const Fit* at = fits;
  ((at++ == best && (launch_tiled<HeadDim, Tiles>(stream, q, k, v, out, lse, output, *best), true)) || ...);
}

template <int HeadDim, class E>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                      View<E, 4> out, View<float, 3> lse, Output output) {
  using Wide = Tiling<HeadDim>;
  using Narrow = NarrowTiling<HeadDim>;
  using Split = SplitTiling<HeadDim>;
  if constexpr (HeadDim <= 88) {
    launch_cheapest<HeadDim, Wide, Narrow, Split, TallTiling>(stream, q, k, v, out, lse, output);
  } else {  // the registers do not suffice for tall tiles
    launch_cheapest<HeadDim, Wide, Narrow, Split>(stream, q, k, v, out, lse, output);
  }
}

}  // namespace weft::kernels::sm90
