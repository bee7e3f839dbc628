// Fills what a rehearsed rank receives on a CUDA device.
#pragma once

#include <cstdint>

#include "weft/comm/rehearsal.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::cuda {

struct FillRehearsed {
  weft::StridedBytes piece;

  __device__ void operator()(Index row, int column) const {
    auto* const bits = reinterpret_cast<std::uint16_t*>(piece.data + row * piece.stride);
    bits[column] = rehearsed_bits(static_cast<std::uint64_t>(row * piece.row_bytes + 2 * column));
  }
};

/// Fills a piece of the current device's memory as fill_on_host does. Other streams may be recording.
inline void fill_on_device(const weft::StridedBytes& piece) {
  cudaStream_t stream = nullptr;
  kernels::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "Creating a stream");
  kernels::for_each_number(stream, piece.rows, piece.row_bytes / 2, FillRehearsed{piece});
  kernels::check(cudaStreamSynchronize(stream), "Filling memory");
  cudaStreamDestroy(stream);
}

}  // namespace weft::inline v0_1::cuda
