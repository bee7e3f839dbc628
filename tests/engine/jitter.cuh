// Jitter: kernels that only take time, queued wherever the program records an event, makes a stream wait for
// one or launches an elementwise kernel, so that ranks run as far apart as the waits allow. A program that
// includes this is linked with --wrap for the functions at the end; the library is not changed.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <random>

#include "weft/check.cuh"

namespace jitter {

inline __device__ std::uint64_t nanoseconds_now() {
  std::uint64_t out;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(out));
  return out;
}

__global__ void spin(std::uint64_t nanoseconds) {
  const std::uint64_t begin = nanoseconds_now();
  while (nanoseconds_now() - begin < nanoseconds) {
  }
}

}  // namespace jitter

/// The jitter of one thread's streams. About half of the streams are delayed often, the others never; the
/// seed determines which.
class Jitter {
 public:
  /// Loads the kernel on the current device, since loading during a recording may wait for it. Delays nothing
  /// before `start`.
  Jitter() {
    delay(cudaStreamPerThread, 0);
    weft::kernels::check(cudaStreamSynchronize(cudaStreamPerThread), "preparing jitter");
    current_ = this;
  }
  Jitter(const Jitter&) = delete;
  Jitter& operator=(const Jitter&) = delete;
  ~Jitter() { current_ = nullptr; }

  void start(std::uint64_t seed, int rank) {
    seed_ = seed;
    random_.seed(1000 * seed + static_cast<std::uint64_t>(rank));
  }

  /// Delays at random what is queued on the stream next.
  static void strike(cudaStream_t stream) {
    if (current_ && current_->seed_ != 0) current_->perhaps_delay(stream);
  }

 private:
  static void delay(cudaStream_t stream, std::uint64_t microseconds) {
    jitter::spin<<<1, 1, 0, stream>>>(1000 * microseconds);
    weft::kernels::check(cudaGetLastError(), "launching jitter");
  }

  void perhaps_delay(cudaStream_t stream) {
    std::mt19937_64 of_stream(seed_ ^ std::hash<const void*>()(stream));
    of_stream.discard(1);
    if (of_stream() % 2 != 0 || random_() % 3 != 0) return;
    delay(stream, std::uniform_int_distribution<std::uint64_t>(50, 500)(random_));
  }

  static inline thread_local Jitter* current_ = nullptr;

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
};

extern "C" {

cudaError_t __real_cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t __real_cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t __real_cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void**);

cudaError_t __wrap_cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Jitter::strike(stream);
  return __real_cudaEventRecord(event, stream);  // a kernel after it might be captured and never joined
}

cudaError_t __wrap_cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  const cudaError_t status = __real_cudaStreamWaitEvent(stream, event, flags);
  Jitter::strike(stream);
  return status;
}

cudaError_t __wrap_cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                       void** arguments) {
  Jitter::strike(config->stream);
  return __real_cudaLaunchKernelExC(config, kernel, arguments);
}

}  // extern "C"
