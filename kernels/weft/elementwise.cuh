// Kernels that go through tensors number by number. The bodies are structs, since lambdas would need a flag
// of nvcc's in every program that includes this.
#pragma once

#include <cmath>
#include <cstdint>

#include "weft/check.cuh"
#include "weft/rows.cuh"

namespace weft::kernels {

template <class Body>
__global__ void each_number(Index rows, int width, Body body) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < rows * width) body(i / width, static_cast<int>(i % width));
}

/// body(row, column) for every number of `rows` rows of `width`.
template <class Body>
void for_each_number(cudaStream_t stream, Index rows, Index width, const Body& body) {
  if (rows * width == 0) return;
  constexpr int threads = 256;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks_for(rows * width, threads)), config.blockDim = dim3(threads);
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, each_number<Body>, rows, static_cast<int>(width), body),
        "Launching an elementwise kernel");
}

/// to = from, converted.
template <class From, class To, int Rank>
struct Copy {
  RowsOf<From, Rank> from;
  RowsOf<To, Rank> to;

  __device__ void operator()(Index row, int column) const {
    to.row(row)[column] = static_cast<To>(static_cast<float>(from.row(row)[column]));
  }
};

/// Sets `differs` if any of the words does.
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

template <class E>
struct Silu {
  RowsOf<E, 2> x;

  __device__ void operator()(Index row, int column) const {
    E& number = x.row(row)[column];
    const float value = static_cast<float>(number);
    number = static_cast<E>(value / (1 + expf(-value)));
  }
};

/// x += bias, (rows, width) and (width).
template <class E, class Out>
struct AddBias {
  const E* bias;
  RowsOf<Out, 2> x;

  __device__ void operator()(Index row, int column) const {
    Out& number = x.row(row)[column];
    number = static_cast<Out>(static_cast<float>(number) + static_cast<float>(bias[column]));
  }
};

}  // namespace weft::kernels
