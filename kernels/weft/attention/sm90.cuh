// Attention on sm_90a, warp-specialised and persistent: one block a multiprocessor takes tiles of queries in
// turn. Its first warpgroup, the producer, loads keys and values into the stages of a pipeline in shared
// memory, and the others, the consumers, compute.
#pragma once

#include <cmath>

#include "weft/attention/sm90/consumer.cuh"
#include "weft/attention/sm90/producer.cuh"
#include "weft/device.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm90 {

template <class E, class Out, class Key, int HeadDim, TilingName name, bool masks>
__global__ __launch_bounds__(Layout<E, Key, HeadDim, name>::threads,
                             1) void attend(const __grid_constant__ Maps maps,
                                            const __grid_constant__ Problem<E, Out> problem) {
  if constexpr (compiled_tier == Tier::sm90a) {
    using L = Layout<E, Key, HeadDim, name>;
    extern __shared__ __align__(swizzle_span) unsigned char memory[];
    auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
    L::init(shared);
    if (threadIdx.x < warpgroup_size) {
      shrink_registers<L::producer_registers>();
      if (threadIdx.x == 0) Producer<E, Key, HeadDim, name, masks>::run(maps, shared, problem);
      if constexpr (L::parts > 1) {  // as the consumers do in join_parts
        cluster_sync();
        cluster_sync();
      }
    } else {
      grow_registers<L::consumer_registers>();
      const int consumer = __shfl_sync(all_lanes, threadIdx.x / warpgroup_size - 1, 0);
      Consumer<E, Out, Key, HeadDim, name, masks>(shared, problem, consumer).run();
    }
    cluster_sync();  // no block leaves while another may still write here
  }
}

/// Launches attention with a plan of the tiling `name`; keys in int8 have `key_scales`.
template <int HeadDim, TilingName name, bool masks = false, class E, class Out, class Key>
void launch_tiled(cudaStream_t stream, View<const E, 4> q, View<const Key, 4> k, View<const E, 4> v,
                  const AttentionResult<E, Out>& result, const KeyMask& mask, const Plan& plan,
                  Index features, View<const float, 3> key_scales = {}) {
  using L = Layout<E, Key, HeadDim, name>;
  const int queries = q.extent[0], keys = k.extent[0], batch = q.extent[1], heads = q.extent[2];
  const float scale = log2_e / std::sqrt(static_cast<float>(features));
  const int group = heads / static_cast<int>(k.extent[2]);
  const Problem<E, Out> problem{.result = result,
                                .queries = queries,
                                .keys = keys,
                                .heads = heads,
                                .group = group,
                                .row_tiles = plan.row_tiles,
                                .end = plan.end,
                                .shares = plan.clusters / (batch * heads),
                                .scale = scale,
                                .mask = mask,
                                .key_scales = key_scales.data,
                                .scales = static_cast<int>(key_scales.extent[2]),
                                .begin = plan.begin};
  const Maps maps{tensor_maps<HeadDim, L::rows>(q, "q"),
                  tensor_maps<L::key_width, L::keys / L::sharing>(k, "k"),
                  tensor_maps<HeadDim, L::keys / L::sharing>(v, "v")};

  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {L::cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = plan.launched() * L::cluster;
  config.blockDim = L::threads;
  config.dynamicSmemBytes = sizeof(typename L::Shared);
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  const auto kernel = attend<E, Out, Key, HeadDim, name, masks>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, config.dynamicSmemBytes),
        "reserving attention's shared memory");
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "launching attention");
}

template <class E>
AttentionSize size_of(const View<const E, 4>& q, const View<const E, 4>& k) {
  return {q.extent[0], k.extent[0], q.extent[1] * q.extent[2], static_cast<int>(q.extent[3])};
}

/// Launches attention with a plan whose tiling is known only now, and the tiles that it leaves to halves of
/// the keys.
template <int HeadDim, TilingName... names, class E, class Out, class Key>
void launch_planned(cudaStream_t stream, View<const E, 4> q, View<const Key, 4> k, View<const E, 4> v,
                    const AttentionResult<E, Out>& result, const Plan& plan, Index features,
                    View<const float, 3> key_scales = {}) {
  const auto launch_if = [&]<TilingName name>() {
    if constexpr (has_tiling(name, HeadDim)) {
      if (plan.tiling == name)
        launch_tiled<HeadDim, name>(stream, q, k, v, result, {}, plan, features, key_scales);
    }
  };
  (launch_if.template operator()<names>(), ...);
  if (plan.leaves_rest())
    launch_planned<HeadDim, TilingName::split, TilingName::tall_split>(stream, q, k, v, result, plan.rest(),
                                                                       features, key_scales);
}

template <int HeadDim, class E, class Out>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                      const AttentionResult<E, Out>& result, const KeyMask& mask, Index features) {
  const AttentionSize size = size_of(q, k);
  if (!mask.empty()) {  // two tilings alone, of which wide runs whatever the sizes
    const Plan wide = plan(TilingName::wide, size, multiprocessors(), LastRound::whole);
    if constexpr (has_tiling(TilingName::resident, HeadDim)) {
      const Plan resident = plan(TilingName::resident, size, multiprocessors());
      if (resident.cost < wide.cost)
        return launch_tiled<HeadDim, TilingName::resident, true>(stream, q, k, v, result, mask, resident,
                                                                 features);
    }
    return launch_tiled<HeadDim, TilingName::wide, true>(stream, q, k, v, result, mask, wide, features);
  }
  using enum TilingName;
  launch_planned<HeadDim, wide, narrow, split, tall, tall_split, resident>(
      stream, q, k, v, result, choose(size, multiprocessors()), features);
}

/// Launches attention over keys in int8, by one of the tilings whose tiles are whole numbers of scales.
template <int HeadDim, class E, class Out>
void launch_int8_attention(cudaStream_t stream, View<const E, 4> q, const Int8Keys& keys, View<const E, 4> v,
                           const AttentionResult<E, Out>& result) {
  using enum TilingName;
  const AttentionSize size{q.extent[0], v.extent[0], q.extent[1] * q.extent[2], HeadDim};
  launch_planned<HeadDim, wide, split, tall, tall_split>(
      stream, q, View<const std::int8_t, 4>(keys.rows), v, result,
      choose({wide, split, tall, tall_split}, size, multiprocessors()), HeadDim, keys.scales);
}

}  // namespace weft::inline v0_1::kernels::sm90
