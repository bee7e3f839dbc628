// The choice among cuBLASLt's algorithms for a product: the fastest of those that round alike.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <optional>

#include "weft/backend/cuda/matmul.cuh"
#include "weft/elementwise.cuh"
#include "weft/weights.cuh"

namespace weft::cuda {

/// Where algorithms are tried: a stream and memory of their own, since the queue may be recording.
class Trials {
 public:
  /// For x (rows, x_stride) of random numbers in `E`, and out (rows, out_stride) in `Out`.
  template <class E, class Out>
  Trials(Index rows, Index x_stride, Index out_stride, std::type_identity<E>, std::type_identity<Out>)
      : words_(rows * out_stride * static_cast<Index>(sizeof(Out)) / 4),
        x_(static_cast<std::size_t>(rows * x_stride) * sizeof(E)),
        residual_(static_cast<std::size_t>(rows * out_stride) * sizeof(Out)),
        first_(static_cast<std::size_t>(rows * out_stride) * sizeof(Out)),
        out_(static_cast<std::size_t>(rows * out_stride) * sizeof(Out)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Timing a product");
    check(cudaEventCreate(&begin_), "Timing a product");
    check(cudaEventCreate(&end_), "Timing a product");
    draw<E>(x_, rows, x_stride);
    draw<Out>(residual_, rows, out_stride);
    for (const Block* block : {&first_, &out_})  // columns between rows are compared too
      check(cudaMemsetAsync(block->data(), 0, static_cast<std::size_t>(words_) * 4, stream_),
            "Timing a product");
  }
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;
  ~Trials() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }

  /// The fastest of the algorithms whose results have the bits of the first one's, so that timing decides
  /// nothing but the time. Nothing if none runs.
  std::optional<Algorithm> fastest(cublasLtHandle_t handle, const Matmul& matmul, const void* weight,
                                   bool adds) {
    const auto candidates = matmul.candidates(handle);
    const auto run = [&, this](const Algorithm& algorithm, const Block& out) {
      return matmul.run(handle, stream_, workspace_.data(), weight, x_.data(),
                        adds ? residual_.data() : nullptr, out.data(), algorithm);
    };
    std::size_t first = 0;
    while (first < candidates.size() && run(candidates[first], first_) != CUBLAS_STATUS_SUCCESS) ++first;
    if (first == candidates.size()) return std::nullopt;
    std::size_t choice = first;
    float best = 0;
    for (std::size_t i = first; i < candidates.size(); ++i) {
      if (run(candidates[i], out_) != CUBLAS_STATUS_SUCCESS || !is_as_first()) continue;
      constexpr int repeats = 3;
      check(cudaEventRecord(begin_, stream_), "Timing a product");
      for (int repeat = 0; repeat < repeats; ++repeat) run(candidates[i], out_);
      check(cudaEventRecord(end_, stream_), "Timing a product");
      check(cudaEventSynchronize(end_), "Timing a product");
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, begin_, end_), "Timing a product");
      if (best == 0 || milliseconds < best) best = milliseconds, choice = i;
    }
    return candidates[choice];
  }

 private:
  template <class T>
  void draw(const Block& block, Index rows, Index columns) {
    const View<T, 3> all(static_cast<T*>(block.data()), {1, rows, columns});
    kernels::for_each_number(stream_, rows, columns, kernels::Draw<T>{{0, 0, 0, 1}, all});
  }

  /// Compared in words of 32 bits.
  bool is_as_first() {
    int differs = 0;
    check(cudaMemsetAsync(differs_.data(), 0, sizeof differs, stream_), "Comparing products");
    kernels::for_each_number(
        stream_, words_, 1,
        kernels::Differ{static_cast<const std::uint32_t*>(first_.data()),
                        static_cast<const std::uint32_t*>(out_.data()), static_cast<int*>(differs_.data())});
    check(cudaMemcpyAsync(&differs, differs_.data(), sizeof differs, cudaMemcpyDeviceToHost, stream_),
          "Comparing products");
    check(cudaStreamSynchronize(stream_), "Comparing products");
    return differs == 0;
  }

  Index words_;
  Block x_, residual_, first_, out_, workspace_{Products::workspace_bytes}, differs_{sizeof(int)};
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace weft::cuda
