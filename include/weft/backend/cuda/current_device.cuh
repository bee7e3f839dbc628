// The current CUDA device of this thread.
#pragma once

#include <cuda_runtime.h>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

inline int current_device() {
  int device = 0;
  kernels::check(cudaGetDevice(&device), "asking for the current device");
  return device;
}

/// Makes a device the current one while it lives.
class [[nodiscard]] CurrentDevice {
 public:
  explicit CurrentDevice(int device) : before_(current_device()) { choose(device); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice() { cudaSetDevice(before_); }

 private:
  void choose(int device) const {
    if (device != before_) kernels::check(cudaSetDevice(device), "choosing the device");
  }

  int before_;
};

}  // namespace weft::inline v0_1::cuda
