// The choice among cuBLASLt's algorithms for a product: the fastest of those with the same bits.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/cuda/matmul.cuh"
#include "weft/core/shared_values.hpp"
#include "weft/elementwise.cuh"
#include "weft/weights.cuh"

namespace weft::inline v0_1::cuda {

/// Trial runs of algorithms, on a stream and memory of their own, since the queue may be recording. Addresses
/// are aligned as those of the product's operands and no better, since algorithms may need more.
class Trials {
 public:
  /// Takes memory for x (rows, x_stride) of random numbers in `E`, and out (rows, out_stride) in `Out`.
  template <class E, class Out>
  Trials(Index rows, Index x_stride, Index out_stride, const Alignments& alignments, std::type_identity<E>,
         std::type_identity<Out>)
      : alignments_(alignments),
        x_(rows * x_stride * static_cast<Index>(sizeof(E)), alignments.x),
        residual_(rows * out_stride * static_cast<Index>(sizeof(Out)), alignments.residual),
        first_(rows * out_stride * static_cast<Index>(sizeof(Out)), alignments.out),
        out_(rows * out_stride * static_cast<Index>(sizeof(Out)), alignments.out) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "timing a product");
    check(cudaEventCreate(&begin_), "timing a product");
    check(cudaEventCreate(&end_), "timing a product");
    draw<E>(x_, rows, x_stride);
    draw<Out>(residual_, rows, out_stride);
    for (const Memory* memory : {&first_, &out_})  // columns between rows are compared too
      check(cudaMemsetAsync(memory->block.data(), 0, static_cast<std::size_t>(memory->words) * 4, stream_),
            "timing a product");
  }
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;
  ~Trials() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }

  /// Returns the fastest of the algorithms whose results have the same bits as the first one's, so that
  /// timing has no influence on results; nothing if none runs.
  [[nodiscard]] std::optional<Algorithm> fastest(cublasLtHandle_t handle, const Matmul& matmul,
                                                 const void* weight, bool adds) {
    std::vector<Algorithm> candidates = matmul.candidates(handle, alignments_);
    matmul.append_variants(handle, candidates);
    const auto run = [&, this](const Algorithm& algorithm, const Memory& out) {
      return matmul.run(handle, stream_, workspace_.data(),
                        {weight, x_.data(), adds ? residual_.data() : nullptr, out.data()}, algorithm);
    };
    std::size_t first = 0;
    while (first < candidates.size() && run(candidates[first], first_) != CUBLAS_STATUS_SUCCESS) ++first;
    if (first == candidates.size()) return std::nullopt;
    const auto time = [&, this](std::size_t i, int repeats) {
      check(cudaEventRecord(begin_, stream_), "timing a product");
      for (int repeat = 0; repeat < repeats; ++repeat) run(candidates[i], out_);
      check(cudaEventRecord(end_, stream_), "timing a product");
      check(cudaEventSynchronize(end_), "timing a product");
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing a product");
      return milliseconds / static_cast<float>(repeats);
    };
    constexpr float hopeless = 1.2f, close = 1.05f;  // times the best
    constexpr float brief = 0.05f;                   // milliseconds, of which one run says little
    struct Timed {
      std::size_t candidate;
      float milliseconds;
    };
    std::vector<Timed> times;
    float best = std::numeric_limits<float>::infinity();
    for (std::size_t i = first; i < candidates.size(); ++i) {
      if (run(candidates[i], out_) != CUBLAS_STATUS_SUCCESS || !is_as_first()) continue;
      const float once = time(i, 1);
      if (once > brief && once > hopeless * best) continue;
      times.push_back({i, time(i, 3)});
      best = std::min(best, times.back().milliseconds);
    }
    std::erase_if(times, [best](const Timed& some) { return some.milliseconds > close * best; });
    for (int turn = 0; turn < 3 && times.size() > 1; ++turn)  // so that all meet the same clocks
      for (Timed& some : times) some.milliseconds += time(some.candidate, 3);
    return candidates[std::ranges::min_element(times, {}, &Timed::milliseconds)->candidate];
  }

 private:
  /// Memory of so many bytes, whose address is a multiple of `alignment` and of no greater power of two.
  struct Memory {
    Index words;  // of 32 bits, from the block's begin to its end
    DeviceMemory block;
    std::size_t offset;

    Memory(Index bytes, std::uint32_t alignment)
        : words((bytes + Alignments::most) / 4 + 1),
          block(static_cast<std::size_t>(words) * 4),
          offset(alignment % Alignments::most) {}

    void* data() const { return static_cast<std::byte*>(block.data()) + offset; }
  };

  template <class T>
  void draw(const Memory& memory, Index rows, Index columns) {
    const View<T, 3> all(static_cast<T*>(memory.data()), {1, rows, columns});
    kernels::for_each_number(stream_, rows, columns, kernels::Draw<T>{{0, 0, 0, 1}, {.pitch = columns}, all});
  }

  /// Returns whether the last result has the bits of the first one.
  bool is_as_first() {
    int differs = 0;
    check(cudaMemsetAsync(differs_.data(), 0, sizeof differs, stream_), "comparing products");
    kernels::for_each_number(stream_, out_.words, 1,
                             kernels::Differ{static_cast<const std::uint32_t*>(first_.block.data()),
                                             static_cast<const std::uint32_t*>(out_.block.data()),
                                             static_cast<int*>(differs_.data())});
    check(cudaMemcpyAsync(&differs, differs_.data(), sizeof differs, cudaMemcpyDeviceToHost, stream_),
          "comparing products");
    check(cudaStreamSynchronize(stream_), "comparing products");
    return differs == 0;
  }

  Alignments alignments_;
  Memory x_, residual_, first_, out_;
  DeviceMemory workspace_{Products::workspace_bytes}, differs_{sizeof(int)};
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// Returns what trials have found in this process, by the device's name and the product: trying an algorithm
/// loads its kernels, on one device at a time, so ranks of the same process leave that to one of them.
inline auto& fastest_algorithms() {
  using Product = std::pair<std::string, Products::Key>;
  static SharedValues<Product, std::optional<Algorithm>> found;
  return found;
}

}  // namespace weft::inline v0_1::cuda
