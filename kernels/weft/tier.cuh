// Tiers of GPUs: kernels are written for one of them, and a program holds code for those it was compiled for.
#pragma once

#include <cuda_runtime.h>

#include "weft/check.cuh"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels {

enum class Tier {
  sm70 = 1,  // 7.0 and 7.5: V100, T4
  sm80,      // 8.0 and newer GPUs without a tier of their own: A100, L40
  sm90a,     // 9.0, with instructions that no other GPU has: H100, H200
  sm100a,    // 10.0 and 10.3 likewise, where a program is compiled for 100a or their family: B200, B300
};

/// The tier that this translation unit's device code is compiled for.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr Tier compiled_tier = Tier::sm90a;
#elif defined(__CUDA_ARCH_FAMILY_SPECIFIC__) && \
    (__CUDA_ARCH_FAMILY_SPECIFIC__ == 1000 || __CUDA_ARCH_FAMILY_SPECIFIC__ == 1030)
inline constexpr Tier compiled_tier = Tier::sm100a;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
inline constexpr Tier compiled_tier = Tier::sm70;
#else
inline constexpr Tier compiled_tier = Tier::sm80;
#endif

/// Carries, in its launch bounds, the tier of the code that the driver chooses; never launched.
template <class = void>
__global__ __launch_bounds__(warp_size* static_cast<int>(compiled_tier)) void tell_tier() {}

/// Returns the tier that runs on the current device. Throws InvalidArgument if the program holds no code for
/// it.
inline Tier current_tier() {
  cudaFuncAttributes attributes;
  const cudaError_t status = cudaFuncGetAttributes(&attributes, tell_tier<>);
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();
    int device;
    cudaDeviceProp gpu;
    check(cudaGetDevice(&device), "asking for the current device");
    check(cudaGetDeviceProperties(&gpu, device), "asking for the device's properties");
    if (gpu.major < 7)
      reject("weft needs a GPU of compute capability 7.0 or newer; this one (", gpu.name, ") has ", gpu.major,
             ".", gpu.minor);
    const std::string number = sentence(gpu.major, gpu.minor, gpu.major == 9 ? "a" : "");
    reject("this program holds no code for the GPU at hand (", gpu.name,
           "); compile it with -gencode arch=compute_", number, ",code=sm_", number);
  }
  check(status, "asking what the program was compiled for");
  return static_cast<Tier>(attributes.maxThreadsPerBlock / warp_size);
}

}  // namespace weft::inline v0_1::kernels
