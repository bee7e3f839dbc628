// Pool: memory on a CUDA device that later buffers reuse.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// Memory on the device, which returns to its pool, or is freed, with its last owner.
using Memory = std::shared_ptr<void>;

/// The memory of one stream, whose order separates work on a buffer from work on the next in the same place:
/// so memory can be reused at once by a buffer of the same size. Memory may outlive its pool.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { trim(); }

  /// Returns how often memory was taken from the device.
  std::size_t allocations() const { return allocations_; }

  /// Calls body, and reuses no memory meanwhile.
  template <class Body>
  void keep_during(const Body& body) {
    struct Keeping {
      bool& keeps;
      ~Keeping() { keeps = false; }
    } keeping{keeps_};
    keeps_ = true;
    body();
  }

  /// Returns unused memory of this size, or allocates it. Its content is undefined.
  [[nodiscard]] Memory take(std::size_t bytes) {
    void* const data =
        !keeps_ && left_.contains(bytes) ? left_.extract(left_.find(bytes)).mapped() : from_device(bytes);
    return {data, [pool = weak_from_this(), bytes](void* memory) {
              if (const auto living = pool.lock()) {
                living->left_.emplace(bytes, memory);
              } else {
                cudaFree(memory);
              }
            }};
  }

  /// Returns unused memory to the device.
  void trim() {
    for (const auto& [bytes, memory] : left_) cudaFree(memory);
    left_.clear();
  }

 private:
  void* from_device(std::size_t bytes) {
    ++allocations_;
    void* memory = nullptr;
    if (cudaMalloc(&memory, bytes) == cudaSuccess) return memory;
    cudaGetLastError();  // the next attempt may succeed
    trim();
    check(cudaMalloc(&memory, bytes), "taking memory on the device");
    return memory;
  }

  std::multimap<std::size_t, void*> left_;  // by their bytes
  bool keeps_ = false;
  std::size_t allocations_ = 0;
};

}  // namespace weft::inline v0_1::cuda
