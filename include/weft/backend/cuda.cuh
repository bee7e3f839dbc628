// The Cuda backend: one device, in float32, bfloat16 or half, or with linear layers in FP8.
#pragma once

#include "weft/backend/cuda/attention.cuh"
#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/check.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/backend/cuda/e4m3.cuh"
#include "weft/backend/cuda/elementwise.cuh"
#include "weft/backend/cuda/free_memory.cuh"
#include "weft/backend/cuda/image.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/loader.cuh"
#include "weft/backend/cuda/milestones.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/backend/cuda/project_heads.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/sampler.cuh"
#include "weft/backend/cuda/text.cuh"
#include "weft/core/dit_shape.hpp"

namespace weft::inline v0_1 {

namespace cuda {

/// Makes a rank's queue of a type whose constructor takes `more` before a Queue's arguments.
template <class Queue>
Queue queue_of(const auto& world, const auto&... more) {
  if constexpr (requires { world.recorder(); })
    return Queue(more..., world.lane(), world.recorder(), world.rank());
  else if constexpr (requires { world.heap(); })
    return Queue(more..., world.lane(), nullptr, 0, world.heap());
  else
    return Queue(more..., world.lane());
}

}  // namespace cuda

/// The backend for one CUDA device. `E`, the type of weights and activations, is float, __nv_bfloat16 or
/// __half; the sampler's state is float32. In half precision, attention is compiled for the head dimensions
/// that are named, 88 for HunyuanDiT; each adds to the time of compilation. Heads of no multiple of 8 are
/// padded with zeros to the next of them, for the time of an attention.
template <class E, int... HeadDims>
struct Cuda {
  using Element = E;
  using Operand = E;
  using Queue = cuda::QueueFor<HeadDims...>;
  template <class T>
  using Buffer = cuda::Buffer<T>;
  using Loader = cuda::Loader;

  static Queue queue(const auto& world) { return cuda::queue_of<Queue>(world); }

  /// Throws InvalidArgument if the current device or this backend cannot run the model.
  static void check(const DitShape& model) {
    cuda::check_head_dim(model.head_dim);
    if constexpr (!std::is_same_v<E, float>) cuda::check_half_precision<E, HeadDims...>(model.head_dim);
  }

  /// Returns what the current device has left.
  static FreeMemory free_memory() { return cuda::free_memory(); }
};

/// The backend with linear layers of blocks in FP8 (e4m3), and everything else in bfloat16. Weights have one
/// scale a layer; the inputs of linear layers have none and saturate at ±448. Rows of their inputs, residuals
/// and outputs begin at multiples of 16 bytes.
template <int... HeadDims>
struct Cuda<__nv_fp8_e4m3, HeadDims...> : Cuda<__nv_bfloat16, HeadDims...> {
  using Operand = __nv_fp8_e4m3;

  static void check(const DitShape& model) {
    cuda::check_e4m3(model);
    Cuda<__nv_bfloat16, HeadDims...>::check(model);
  }
};

}  // namespace weft::inline v0_1
