// The CUDA queue: one stream, and what its operators keep between calls.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "weft/check.cuh"
#include "weft/core/trace.hpp"
#include "weft/tier.cuh"

namespace weft::cuda {

using kernels::check;

inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(sentence(what, " failed: ", cublasLtGetStatusString(status), "."));
}

/// A range of the profiler, and a slice of the trace on the host's clock: when work was queued.
class Span {
 public:
  Span(Lane* lane, const char* category, const char* name, Index number, Index bytes)
      : slice_(lane, category, name, number, bytes) {
    nvtxRangePushA(number < 0 ? name : (std::string(name) + ' ' + std::to_string(number)).c_str());
  }
  ~Span() { nvtxRangePop(); }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  weft::Span slice_;
};

/// A named type for what cuBLASLt leaves unnamed, since nvcc's standard library fails on that.
struct Algorithm {
  cublasLtMatmulAlgo_t value;
};

class Queue {
 public:
  /// On the current device; refused if there is none, or no code for it.
  explicit Queue(Lane* lane = nullptr) : lane_(lane) {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
      refuse("There is no CUDA device here; use the Host backend.");
    kernels::current_tier();
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Creating a stream");
    check(cublasLtCreate(&products_), "Starting cuBLASLt");
    check(cudaMalloc(&workspace_, workspace_bytes), "Taking cuBLASLt's workspace");
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    cudaStreamSynchronize(stream_);
    cudaFree(workspace_);
    cublasLtDestroy(products_);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t stream() const { return stream_; }
  void synchronize() { check(cudaStreamSynchronize(stream_), "Running the queue"); }

  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {lane_, category, name, number, bytes};
  }

  Index allocations() const { return allocations_; }
  void count_allocation() { ++allocations_; }

  /// What tells one matrix product from another: types, extents, leading dimensions, epilogue.
  using Product = std::tuple<int, int, Index, Index, Index, Index, Index, Index, int, bool>;

  static constexpr std::size_t workspace_bytes = 64 << 20;
  cublasLtHandle_t products() const { return products_; }
  void* workspace() const { return workspace_; }
  /// The algorithms that were fastest, by product.
  std::map<Product, Algorithm>& algorithms() { return algorithms_; }

 private:
  Lane* lane_;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t products_ = nullptr;
  void* workspace_ = nullptr;
  std::map<Product, Algorithm> algorithms_;
  Index allocations_ = 0;
};

/// A queue whose attention is compiled for these head dimensions.
template <int... HeadDims>
class QueueFor : public Queue {
 public:
  using Queue::Queue;
};

}  // namespace weft::cuda
