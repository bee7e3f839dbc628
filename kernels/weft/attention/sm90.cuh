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

template <class E, int HeadDim, TilingName name>
__global__ __launch_bounds__(Layout<E, HeadDim, name>::threads,
                             1) void attend(const __grid_constant__ Maps maps,
                                            const __grid_constant__ Problem<E> problem) {
  if constexpr (compiled_tier == Tier::sm90a) {
    using L = Layout<E, HeadDim, name>;
    extern __shared__ __align__(1024) unsigned char memory[];
    auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
    L::init(shared);
    // A thread's registers: the warpgroups share out the 65536 of a multiprocessor.
    constexpr int producer_registers = L::consumers == 2 ? 24 : 32;
    constexpr int consumer_registers = L::consumers == 2 ? 240 : 160;
    static_assert(128 * (producer_registers + L::consumers * consumer_registers) <= 65536);
    if (threadIdx.x < 128) {
      shrink_registers<producer_registers>();
      if (threadIdx.x == 0) Producer<E, HeadDim, name>::run(maps, shared, problem);
      if constexpr (L::parts > 1) cluster_sync(), cluster_sync();  // as the consumers do
    } else {
      grow_registers<consumer_registers>();
      Consumer<E, HeadDim, name>(shared, problem, __shfl_sync(~0u, threadIdx.x / 128 - 1, 0)).run();
    }
    cluster_sync();  // no block leaves while another may still write here
  }
}

template <int HeadDim, TilingName name, class E>
void launch_tiled(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                  View<E, 4> out, View<float, 3> lse, Output output, const Plan& plan) {
  using L = Layout<E, HeadDim, name>;
  const int queries = q.extent[0], keys = k.extent[0], batch = q.extent[1], heads = q.extent[2];
  const int tiles = plan.clusters * L::sharing;
  const float scale = 1.44269504089f / std::sqrt(float(HeadDim));
  const Problem<E> problem{{out, lse, output}, queries, keys, heads, tiles / (batch * heads), tiles, scale};
  const Maps maps{box_maps<HeadDim, L::rows>(q, "q"), box_maps<HeadDim, L::keys / L::sharing>(k, "k"),
                  box_maps<HeadDim, L::keys / L::sharing>(v, "v")};

  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {L::cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = std::min(plan.clusters, plan.at_once) * L::cluster;
  config.blockDim = L::threads;
  config.dynamicSmemBytes = sizeof(typename L::Shared);
  config.stream = stream;
  config.attrs = &cluster, config.numAttrs = 1;
  const auto kernel = attend<E, HeadDim, name>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, config.dynamicSmemBytes),
        "Reserving attention's shared memory");
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "Launching attention");
}

template <class E>
AttentionSize size_of(const View<const E, 4>& q, const View<const E, 4>& k) {
  return {q.extent[0], k.extent[0], q.extent[1] * q.extent[2], static_cast<int>(q.extent[3])};
}

template <int HeadDim, class E>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                      View<E, 4> out, View<float, 3> lse, Output output) {
  const Plan plan = choose(size_of(q, k), multiprocessors());
  const auto launch = [&]<TilingName name>() {
    if constexpr (has_tiling(name, HeadDim))
      launch_tiled<HeadDim, name>(stream, q, k, v, out, lse, output, plan);
  };
  switch (plan.tiling) {
    case TilingName::wide:
      return launch.template operator()<TilingName::wide>();
    case TilingName::narrow:
      return launch.template operator()<TilingName::narrow>();
    case TilingName::split:
      return launch.template operator()<TilingName::split>();
    case TilingName::tall:
      return launch.template operator()<TilingName::tall>();
  }
}

}  // namespace weft::kernels::sm90
