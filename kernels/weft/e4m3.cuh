// Conversions to e4m3: of weights with a scale, of activations without.
//
// e4m3 has three bits of mantissa from 2⁻⁶ to 448, so a scale only moves numbers into this range. Weights are
// small and need one; the outputs of norms, attention and GELU are within the range.
#pragma once

#include <cmath>
#include <cub/block/block_reduce.cuh>
#include <stdexcept>

#include "weft/check.cuh"
#include "weft/elementwise.cuh"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

constexpr float most_e4m3 = 448;

/// Writes the largest magnitude among `count` numbers to *most, which must be 0 before.
template <int Threads, class E>
__global__ __launch_bounds__(Threads) void largest_magnitude(const E* numbers, Index count, float* most) {
  using Reduce = cub::BlockReduce<float, Threads>;
  __shared__ typename Reduce::TempStorage memory;
  float largest = 0;
  const Index stride = static_cast<Index>(gridDim.x) * Threads;
  for (Index i = static_cast<Index>(blockIdx.x) * Threads + threadIdx.x; i < count; i += stride)
    largest = fmaxf(largest, fabsf(static_cast<float>(numbers[i])));
  largest = Reduce(memory).Reduce(largest, [](float a, float b) { return fmaxf(a, b); });
  // Floats that are not negative are ordered as their bits.
  if (threadIdx.x == 0) atomicMax(reinterpret_cast<int*>(most), __float_as_int(largest));
}

/// Replaces the largest magnitude by the scale that maps it to the largest number of e4m3.
struct ScaleOfLargest {
  float* scale;

  __device__ void operator()(Index, int) const { *scale = *scale > 0 ? *scale / most_e4m3 : 1; }
};

/// to = from / *scale.
template <class E>
struct Quantize {
  const E* from;
  const float* scale;
  __nv_fp8_e4m3* to;

  __device__ void operator()(Index i, int) const {
    to[i] = __nv_fp8_e4m3(static_cast<float>(from[i]) / *scale);
  }
};

/// Quantizes dense weights to e4m3 times *scale, which must be 0 before.
template <class E>
void quantize(cudaStream_t stream, const E* from, Index count, __nv_fp8_e4m3* to, float* scale) {
  if (count == 0) return;
  constexpr int threads = 256;
  largest_magnitude<threads><<<512, threads, 0, stream>>>(from, count, scale);
  check(cudaGetLastError(), "launching the search for the largest weight");
  for_each_number(stream, 1, 1, ScaleOfLargest{scale});
  for_each_number(stream, count, 1, Quantize<E>{from, scale, to});
}

/// Adds to *count how many numbers are ±448, where e4m3 ends and conversions cut off, or none.
struct CountSaturated {
  RowsOf<const __nv_fp8_e4m3, 2> x;
  unsigned long long* count;

  __device__ void operator()(Index row, int column) const {
    constexpr unsigned most = 0x7e;  // 448 without its sign
    if ((x.row(row)[column].__x & 0x7fu) >= most) atomicAdd(count, 1ull);
  }
};

/// Converts rows to e4m3, one warp a row. A row of `out` may begin where that of `x` does: a warp reads
/// `Chunks` times 8 numbers a lane before it writes them, and writes only below what it reads next.
template <int Chunks, class E>
__global__ void narrow_rows(RowsOf<const E, 2> x, RowsOf<__nv_fp8_e4m3, 2> out, Index rows) {
  constexpr int N = 8;
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const E* const from = x.row(row);
  __nv_fp8_e4m3* const to = out.row(row);
  for (int first = 0; first < x.width; first += Chunks * warp_size * N) {
    float values[Chunks][N];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = first + (c * warp_size + static_cast<int>(threadIdx.x)) * N;
      if (column < x.width) load(from + column, values[c]);
    }
    __syncwarp();
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = first + (c * warp_size + static_cast<int>(threadIdx.x)) * N;
      if (column < x.width) store(values[c], to + column);
    }
  }
}

template <class E>
void narrow(cudaStream_t stream, RowsOf<const E, 2> x, RowsOf<__nv_fp8_e4m3, 2> out) {
  const Index rows = x.count();
  if (rows == 0) return;
  if (!x.moves_by(8) || !out.moves_by(8))
    throw std::logic_error(sentence("rows of ", x.width, " numbers cannot be narrowed: rows are a multiple ",
                                    "of 8 long, and begin at multiples of 16 bytes"));
  constexpr int warps = 4;
  narrow_rows<6><<<blocks_for(rows, warps), dim3(warp_size, warps), 0, stream>>>(x, out, rows);
  check(cudaGetLastError(), "launching a conversion to e4m3");
}

}  // namespace weft::inline v0_1::kernels
