// The backend of the command on CUDA devices.
#pragma once

#include <type_traits>

#include "weft/backend/cuda.cuh"
#include "weft/backend/cuda/int8_attention.cuh"

namespace command {

/// Attention for heads of 48 features (share/shapes), 64 (SD3), 72 (PixArt), 88 (HunyuanDiT) and 128 (FLUX).
template <class E>
using OwnAttention = weft::Cuda<E, 48, 64, 72, 88, 128>;

/// Attention in int8 where --attention says so: chosen at run time, so that models are compiled once.
template <class E>
struct ChosenAttention : weft::Int8Attention<OwnAttention<E>> {
  static inline bool is_int8 = false;  // set before any rank starts

  static auto queue(const auto& world) { return weft::Int8Attention<OwnAttention<E>>::queue(world, is_int8); }
  static void check(const weft::DitShape& model) {
    if (is_int8)
      weft::Int8Attention<OwnAttention<E>>::check(model);
    else
      OwnAttention<E>::check(model);
  }
};

template <class E>
using Cuda = std::conditional_t<std::is_same_v<E, float>, OwnAttention<E>, ChosenAttention<E>>;

}  // namespace command
