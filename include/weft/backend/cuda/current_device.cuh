// The device that CUDA's calls of this thread are for.
#pragma once

#include <cuda_runtime.h>

#include "weft/check.cuh"

namespace weft::cuda {

inline int current_device() {
  int device = 0;
  kernels::check(cudaGetDevice(&device), "Asking for the current device");
  return device;
}

/// Makes a device the current one, and what was so before at the end of its life.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) : before_(current_device()) { choose(device); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice() { cudaSetDevice(before_); }

 private:
  void choose(int device) const {
    if (device != before_) kernels::check(cudaSetDevice(device), "Choosing the device");
  }

  int before_;
};

}  // namespace weft::cuda
