// The state of matrix products: cuBLASLt's handle and the algorithms chosen, and the memory that its products
// and weft's own take turns in.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tuple>

#include "weft/check.cuh"
#include "weft/core/range.hpp"
#include "weft/product.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(sentence(what, " failed: ", cublasLtGetStatusString(status)));
}

/// Memory on the device, freed by the destructor, which waits for the device.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) {
    check(cudaMalloc(&data_, bytes), "taking memory on the device");
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }

  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

/// The operands of a product, on the device.
struct Operands {
  const void* weight;
  const void* x;
  const void* residual;  // or null
  void* out;
};

/// The alignments of the operands' addresses, up to cuBLASLt's default. Those of strides are not included:
/// cuBLASLt knows the strides.
struct Alignments {
  static constexpr std::uint32_t most = 256;

  explicit Alignments(const Operands& operands)
      : weight(of(operands.weight)),
        x(of(operands.x)),
        residual(of(operands.residual ? operands.residual : operands.out)),
        out(of(operands.out)) {}

  std::uint32_t weight, x, residual, out;

  /// Returns the largest power of two up to `most` that divides an address.
  static std::uint32_t of(const void* address) {
    const auto number = reinterpret_cast<std::uintptr_t>(address) | most;
    return static_cast<std::uint32_t>(number & -number);
  }

  friend auto operator<=>(const Alignments&, const Alignments&) = default;
};

/// cuBLASLt's algorithm in a type with a name, which std::optional needs under nvcc.
struct Algorithm {
  cublasLtMatmulAlgo_t value;
};

/// One stream's products, since they share the workspace.
class Products {
 public:
  static constexpr std::size_t workspace_bytes = 64 << 20;
  static constexpr Index spare_bytes = 16 << 20;

  /// The key of a product: types, extents, leading dimensions, epilogue, alignments.
  using Key = std::tuple<int, int, Index, Index, Index, Index, Index, Index, int, bool, Alignments>;

  Products() : workspace_(workspace_bytes), counts_(kernels::partial_counts() * sizeof(unsigned)) {
    check(cudaMemset(counts_.data(), 0, kernels::partial_counts() * sizeof(unsigned)), "zeroing counts");
    check(cudaStreamSynchronize(cudaStreamLegacy), "zeroing counts");
    if (kernels::partial_sums_bytes() > workspace_bytes)
      throw std::logic_error("the workspace of products has no room for partial sums");
  }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products() {
    if (handle_) cublasLtDestroy(handle_);
  }

  /// Returns cuBLASLt's handle, whose making loads the library's kernels: so not before a product needs it.
  cublasLtHandle_t handle() {
    if (!handle_) check(cublasLtCreate(&handle_), "starting cuBLASLt");
    return handle_;
  }
  void* workspace() const { return workspace_.data(); }
  /// Returns the memory of weft's own products: the workspace, which one product at a time needs.
  kernels::PartialSums partial_sums() const {
    return {static_cast<float*>(workspace_.data()), static_cast<unsigned*>(counts_.data())};
  }
  /// Returns `spare_bytes` of memory for a product whose output still holds its residual.
  void* spare() {
    if (!spare_) spare_ = std::make_unique<DeviceMemory>(spare_bytes);
    return spare_->data();
  }

  /// Returns the algorithm of a product, by choose() at its first call; nothing if there is none. Those of
  /// products that run many times are others than those of products that run once.
  template <class Choose>
  const std::optional<Algorithm>& find(const Key& key, bool repeats, const Choose& choose) {
    auto& algorithms = repeats ? of_repeated_ : of_single_;
    auto known = algorithms.find(key);
    if (known == algorithms.end()) known = algorithms.emplace(key, choose()).first;
    return known->second;
  }

 private:
  cublasLtHandle_t handle_ = nullptr;
  DeviceMemory workspace_, counts_;
  std::unique_ptr<DeviceMemory> spare_;
  std::map<Key, std::optional<Algorithm>> of_repeated_, of_single_;
};

}  // namespace weft::inline v0_1::cuda
