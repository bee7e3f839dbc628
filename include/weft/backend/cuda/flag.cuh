// Flags in memory by which streams of several processes wait for each other without a kernel.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <stdexcept>

#include "weft/core/error.hpp"
#include "weft/driver.cuh"

namespace weft::inline v0_1::cuda {

/// A word that is 0 or 1, in memory of any device that the current one reaches; it owns no memory. Streams
/// set it and wait for it by memory operations, which take no multiprocessor and can be recorded into a
/// graph.
class Flag {
 public:
  explicit Flag(void* word) : word_(reinterpret_cast<CUdeviceptr>(word)) {}

  /// Raises the flag behind what is queued on the stream, whose writes are visible to streams that take it.
  void raise(cudaStream_t stream) const { run(stream, std::array{write(1)}); }

  /// Makes the stream wait until the flag is raised, and lower it again.
  void take(cudaStream_t stream) const {
    CUstreamBatchMemOpParams wait{};
    wait.waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    wait.waitValue.address = word_;
    wait.waitValue.value = 1;
    wait.waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
    run(stream, std::array{wait, write(0)});
  }

 private:
  CUstreamBatchMemOpParams write(std::uint32_t value) const {
    CUstreamBatchMemOpParams out{};
    out.writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    out.writeValue.address = word_;
    out.writeValue.value = value;
    out.writeValue.flags = CU_STREAM_WRITE_VALUE_DEFAULT;
    return out;
  }

  template <std::size_t Count>
  static void run(cudaStream_t stream, std::array<CUstreamBatchMemOpParams, Count> operations) {
    using kernels::driver_function;
    static const auto queue = driver_function<decltype(cuStreamBatchMemOp)>("cuStreamBatchMemOp", 12000);
    static const auto describe = driver_function<decltype(cuGetErrorString)>("cuGetErrorString", 12000);
    const CUresult status = queue(stream, Count, operations.data(), 0);
    if (status == CUDA_SUCCESS) return;
    const char* what = nullptr;
    describe(status, &what);
    throw std::runtime_error(sentence("ordering streams by a flag failed: ", what ? what : "unknown"));
  }

  CUdeviceptr word_;
};

}  // namespace weft::inline v0_1::cuda
