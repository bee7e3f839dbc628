// The Cuda backend: one device, in float32, bfloat16 or half.
#pragma once

#include "weft/backend/cuda/attention.cuh"
#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/loader.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/sampler.cuh"

namespace weft {

/// `E` is float, __nv_bfloat16 or __half: what weights and activations are. The sampler's state is float32.
/// Attention runs on tensor cores for the head dimensions that are named, 88 for HunyuanDiT; each takes a
/// while to compile.
template <class E, int... HeadDims>
struct Cuda {
  using Element = E;
  using Queue = cuda::QueueFor<HeadDims...>;
  template <class T>
  using Buffer = cuda::Buffer<T>;
  using Loader = cuda::Loader;

  static Queue queue(const auto& world) { return Queue(world.lane()); }
};

}  // namespace weft
