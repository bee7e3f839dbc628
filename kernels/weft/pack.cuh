// Packing of strided rows into dense memory and back, many blocks a launch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/check.cuh"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::kernels {

/// A block of `rows` rows of `row_bytes`, `stride` bytes apart, and its dense copy.
struct PackedRows {
  std::byte* rows_at;
  std::byte* dense;
  Index rows, row_bytes, stride;
};

enum class Packing { into_dense, out_of_dense };

struct PackedBatch {
  static constexpr int most = 64;
  PackedRows blocks[most];
};

template <Packing packing, class Word>
__global__ void move_packed(PackedBatch batch) {
  const PackedRows& block = batch.blocks[blockIdx.y];
  const Index width = block.row_bytes / static_cast<Index>(sizeof(Word)), count = block.rows * width;
  Word* const dense = reinterpret_cast<Word*>(block.dense);
  const Index threads = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    Word* const word = reinterpret_cast<Word*>(block.rows_at + i / width * block.stride) + i % width;
    if constexpr (packing == Packing::into_dense) {
      dense[i] = *word;
    } else {
      *word = dense[i];
    }
  }
}

namespace detail {

template <Packing packing, class Word>
void move_packed_words(cudaStream_t stream, std::span<const PackedRows> blocks) {
  constexpr Index threads = 256, most_blocks = 512;
  while (!blocks.empty()) {
    const std::size_t count = std::min<std::size_t>(blocks.size(), PackedBatch::most);
    PackedBatch batch{};
    Index words = 1;
    for (std::size_t i = 0; i < count; ++i) {
      batch.blocks[i] = blocks[i];
      words = std::max(words, blocks[i].rows * blocks[i].row_bytes / static_cast<Index>(sizeof(Word)));
    }
    const auto across = static_cast<unsigned>(std::min((words + threads - 1) / threads, most_blocks));
    move_packed<packing, Word><<<dim3(across, static_cast<unsigned>(count)), threads, 0, stream>>>(batch);
    check(cudaGetLastError(), "packing a message");
    blocks = blocks.subspan(count);
  }
}

}  // namespace detail

/// Packs or unpacks all blocks, in the widest words that fit all of them.
template <Packing packing>
void move_packed_rows(cudaStream_t stream, std::span<const PackedRows> blocks) {
  std::uintptr_t all = 0;
  for (const PackedRows& block : blocks)
    all |= reinterpret_cast<std::uintptr_t>(block.rows_at) | reinterpret_cast<std::uintptr_t>(block.dense) |
           static_cast<std::uintptr_t>(block.row_bytes) | static_cast<std::uintptr_t>(block.stride);
  if (all % sizeof(uint4) == 0) {
    detail::move_packed_words<packing, uint4>(stream, blocks);
  } else if (all % sizeof(std::uint32_t) == 0) {
    detail::move_packed_words<packing, std::uint32_t>(stream, blocks);
  } else {
    detail::move_packed_words<packing, std::uint8_t>(stream, blocks);
  }
}

/// sums = the sum of all rows, (rows, width), from the first to the last.
struct SumRows {
  const double* rows_at;
  Index rows, width;
  double* sums;

  __device__ void operator()(Index, int column) const {
    double sum = 0;
    for (Index row = 0; row < rows; ++row) sum += rows_at[row * width + column];
    sums[column] = sum;
  }
};

}  // namespace weft::inline v0_1::kernels
