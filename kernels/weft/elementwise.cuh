// Elementwise kernels. Their bodies are structs, since lambdas would need nvcc's --extended-lambda in every
// program that includes this.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "weft/check.cuh"
#include "weft/core/activation.hpp"
#include "weft/core/step.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

template <class Body>
__global__ void each_number(Index rows, int width, Body body) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < rows * width) body(i / width, static_cast<int>(i % width));
}

/// Calls body(row, column) on the device for every number of `rows` rows of `width`.
template <class Body>
void for_each_number(cudaStream_t stream, Index rows, Index width, const Body& body) {
  if (rows * width == 0) return;
  constexpr int threads = 256;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks_for(rows * width, threads));
  config.blockDim = dim3(threads);
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, each_number<Body>, rows, static_cast<int>(width), body),
        "launching an elementwise kernel");
}

/// to = from, converted.
template <class From, class To, int Rank>
struct Copy {
  RowsOf<From, Rank> from;
  RowsOf<To, Rank> to;

  __device__ void operator()(Index row, int column) const {
    const auto& number = from.row(row)[column];
    if constexpr (std::is_same_v<std::remove_const_t<From>, To>) {
      to.row(row)[column] = number;
    } else {
      to.row(row)[column] = static_cast<To>(static_cast<float>(number));
    }
  }
};

/// to = from, and zeros in the further columns of `to`.
template <class E, int Rank>
struct Widen {
  RowsOf<const E, Rank> from;
  RowsOf<E, Rank> to;

  __device__ void operator()(Index row, int column) const {
    to.row(row)[column] = column < from.width ? from.row(row)[column] : E(0.f);
  }
};

/// Sets *differs if any words of a and b differ.
struct Differ {
  const std::uint32_t *a, *b;
  int* differs;

  __device__ void operator()(Index i, int) const {
    if (a[i] != b[i]) *differs = 1;
  }
};

template <class T>
struct Fill {
  T value;
  T* to;

  __device__ void operator()(Index i, int) const { to[i] = value; }
};

struct AddToStep {
  std::int32_t* step;

  __device__ void operator()(Index, int) const { ++*step; }
};

inline __device__ float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::none:
      break;
    case Activation::gelu_tanh: {  // (1 + tanh u) / 2 is sigmoid(2u)
      const float u = 0.7978845608f * (x + 0.044715f * x * x * x);
      return x / (1 + expf(-2 * u));
    }
    case Activation::silu:
      return x / (1 + expf(-x));
    case Activation::gelu:  // erfc, since 1 + erf loses what is small
      return 0.5f * x * erfcf(-0.7071067812f * x);
    case Activation::quick_gelu:
      return x / (1 + expf(-1.702f * x));
  }
  return x;
}

/// Returns the same, as precisely as numbers of type E tell.
template <class E>
__device__ float activated_for(Activation activation, float x) {
  if (sizeof(E) == 2 && activation == Activation::silu) return __fdividef(x, 1 + __expf(-x));
  return activated(activation, x);
}

/// An image's factors at a step: (steps, images, width), or null: 1. Row r is of image r % images.
struct Factors {
  const float* data = nullptr;
  Index step_stride = 0, image_stride = 0, images = 1;
  Step step{};

  __device__ float at(Index row, int column) const {
    return data[step.index() * step_stride + row % images * image_stride + column];
  }
};

/// The epilogue of a product as a kernel: out = residual + gate · activation(product + bias). A null bias,
/// gate or residual is left out; `product` and the residual may be `out`.
template <class E, class Out>
struct EndProduct {
  RowsOf<const Out, 2> product;
  const E* bias;  // (width)
  Activation activation;
  RowsOf<const E, 2> residual;
  RowsOf<Out, 2> out;
  Factors gate{};

  __device__ void operator()(Index row, int column) const {
    float value = static_cast<float>(product.row(row)[column]);
    if (bias) value += static_cast<float>(bias[column]);
    value = activated(activation, value);
    if (gate.data) value *= gate.at(row, column);
    if (residual.data) value += static_cast<float>(residual.row(row)[column]);
    out.row(row)[column] = static_cast<Out>(value);
  }
};

/// out = a + factor · b; `out` may be either.
template <class E>
struct Add {
  RowsOf<const E, 2> a, b;
  float factor;
  RowsOf<E, 2> out;

  __device__ void operator()(Index row, int column) const {
    const auto added = static_cast<float>(b.row(row)[column]);
    out.row(row)[column] = static_cast<E>(static_cast<float>(a.row(row)[column]) + factor * added);
  }
};

/// out = value · activation(gate); `out` may be either if it is of their type.
template <class E, class Out>
struct GatedUnit {
  Activation activation;
  RowsOf<const E, 2> gate, value;
  RowsOf<Out, 2> out;

  __device__ void operator()(Index row, int column) const {
    const float factor = activated(activation, static_cast<float>(gate.row(row)[column]));
    out.row(row)[column] = static_cast<Out>(static_cast<float>(value.row(row)[column]) * factor);
  }
};

/// out = x · (1 + scale) + shift by image and step, where scale and shift are not null; `out` may be x if it
/// is of its type. Rows are those of (tokens, images).
template <class E, class Out>
struct Modulate {
  RowsOf<const E, 3> x;
  Factors scale, shift;
  RowsOf<Out, 3> out;

  __device__ void operator()(Index row, int column) const {
    float value = static_cast<float>(x.row(row)[column]);
    if (scale.data) value *= 1 + scale.at(row, column);
    if (shift.data) value += shift.at(row, column);
    out.row(row)[column] = static_cast<Out>(value);
  }
};

}  // namespace weft::inline v0_1::kernels
