// Memory on the device for tests.
#pragma once

#include <cuda_runtime.h>

#include <utility>
#include <vector>

#include "weft/backend/cuda/host_copy.cuh"
#include "weft/check.cuh"
#include "weft/core/range.hpp"

namespace weft::kernels::test {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(Index size) : size_(size) {
    check(cudaMalloc(&data_, size * sizeof(T)), "cudaMalloc");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(DeviceArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return data_; }
  Index size() const { return size_; }

  void fill(int byte) { check(cudaMemset(data_, byte, size_ * sizeof(T)), "cudaMemset"); }
  void upload(const std::vector<T>& host) {
    cuda::copy_from_host(data_, host.data(), static_cast<std::size_t>(size_) * sizeof(T));
  }
  std::vector<T> download() const {
    std::vector<T> host(size_);
    check(cudaMemcpy(host.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost), "downloading");
    return host;
  }

 private:
  T* data_ = nullptr;
  Index size_;
};

}  // namespace weft::kernels::test
