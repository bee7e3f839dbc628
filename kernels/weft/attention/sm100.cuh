// Attention on sm_100a, warp-specialised and persistent: one block a multiprocessor takes tiles of 256
// queries in turn. In its first warpgroup a thread loads and another issues matrix products, whose sums stay
// in tensor memory; the other two warpgroups compute the weights of 128 queries each, between one product and
// the next. It has never run on such a GPU: NOTES.md says what was checked.
#pragma once

#include <cmath>

#include "weft/attention/sm100/loader.cuh"
#include "weft/attention/sm100/multiplier.cuh"
#include "weft/attention/sm100/weigher.cuh"
#include "weft/device.cuh"
#include "weft/sm100/tcgen05.cuh"

namespace weft::inline v0_1::kernels::sm100 {

inline constexpr int threads = warpgroup_size * (1 + halves);

/// `Cores` are the tensor cores: Tcgen05, or what a test has in their place.
template <class Cores, class E, class Out, int HeadDim, bool masks>
__global__ __launch_bounds__(threads, 1) void attend(const __grid_constant__ Maps maps,
                                                     const __grid_constant__ Problem<E, Out> problem) {
  if constexpr (Cores::compiled) {
    using L = Layout<E, HeadDim>;
    extern __shared__ __align__(swizzle_span) unsigned char memory[];
    auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
    const int warp = __shfl_sync(all_lanes, threadIdx.x / warp_size, 0);
    L::init(shared);
    if (warp == 0) Cores::allocate(&shared.tensor_memory);
    Cores::before_sync();
    __syncthreads();
    Cores::after_sync();

    const int warpgroup = warp / sm90::warpgroup_warps;
    if (warpgroup == 0) {
      sm90::shrink_registers<40>();
      if (threadIdx.x == 0) Loader<E, HeadDim, masks>::run(maps, shared, problem);
      if (threadIdx.x == warp_size) Multiplier<Cores, E, HeadDim, masks>(shared).run(problem);
    } else {
      sm90::grow_registers<232>();
      Weigher<Cores, E, Out, HeadDim, masks>(shared, problem, warpgroup - 1).run();
    }
    Cores::before_sync();
    __syncthreads();
    Cores::after_sync();
    if (warp == 0) Cores::free(shared.tensor_memory);
  }
}

template <class Cores, int HeadDim, bool masks, class E, class Out>
void launch(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
            const AttentionResult<E, Out>& result, const KeyMask& mask, Index features) {
  using L = Layout<E, HeadDim>;
  const int heads = q.extent[2];
  const Plan planned = plan(q.extent[0], q.extent[1] * heads, multiprocessors());
  const Problem<E, Out> problem{.result = result,
                                .queries = static_cast<int>(q.extent[0]),
                                .keys = static_cast<int>(k.extent[0]),
                                .heads = heads,
                                .group = heads / static_cast<int>(k.extent[2]),
                                .row_tiles = planned.row_tiles,
                                .tiles = planned.tiles,
                                .scale = log2_e / std::sqrt(static_cast<float>(features)),
                                .mask = mask};
  const Maps maps{sm90::tensor_maps<HeadDim, half_rows>(q, "q"), sm90::tensor_maps<HeadDim, key_tile>(k, "k"),
                  sm90::tensor_maps<HeadDim, key_tile>(v, "v")};
  const auto kernel = attend<Cores, E, Out, HeadDim, masks>;
  constexpr int bytes = sizeof(typename L::Shared);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        "reserving attention's shared memory");
  kernel<<<planned.blocks, threads, bytes, stream>>>(maps, problem);
  check(cudaGetLastError(), "launching attention");
}

template <class Cores, int HeadDim, class E, class Out>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v,
                      const AttentionResult<E, Out>& result, const KeyMask& mask, Index features) {
  if (mask.empty())
    launch<Cores, HeadDim, false>(stream, q, k, v, result, mask, features);
  else
    launch<Cores, HeadDim, true>(stream, q, k, v, result, mask, features);
}

}  // namespace weft::inline v0_1::kernels::sm100
