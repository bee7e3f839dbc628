// What a rehearsed rank receives, on a CUDA device.
#pragma once

#include "weft/comm/rehearsal.hpp"
#include "weft/elementwise.cuh"

namespace weft::cuda {

struct FillRehearsed {
  weft::Block block;

  __device__ void operator()(Index row, int column) const {
    auto* const bits = reinterpret_cast<std::uint16_t*>(block.data + row * block.stride);
    bits[column] = rehearsed_bits(static_cast<std::uint64_t>(row * block.row_bytes + 2 * column));
  }
};

/// As fill_on_host, into a block of the current device. Other streams may be recording.
inline void fill_on_device(const weft::Block& block) {
  cudaStream_t stream = nullptr;
  kernels::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "Creating a stream");
  kernels::for_each_number(stream, block.rows, block.row_bytes / 2, FillRehearsed{block});
  kernels::check(cudaStreamSynchronize(stream), "Filling memory");
  cudaStreamDestroy(stream);
}

}  // namespace weft::cuda
