// The watch over the devices of a job: one that fails for good ends the process.
#pragma once

#include <cuda_runtime.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/check.cuh"
#include "weft/core/error.hpp"

namespace weft::peer {

using kernels::check;

/// A device that is asked again and again, on a thread of its own, whether it still works. After a kernel
/// that faults it does not, as long as the process lives; what other devices wait for from there never comes,
/// and the host returns neither from waiting for those, nor from freeing their memory. So no exception could
/// bring the ranks to their ends, and the process ends from here.
class WatchedDevice {
 public:
  /// The current one; `ranks` is who computes on it, such as "rank 1".
  explicit WatchedDevice(std::string ranks) : ranks_(std::move(ranks)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Watching the device");
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "Watching the device");
    thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }
  WatchedDevice(const WatchedDevice&) = delete;
  WatchedDevice& operator=(const WatchedDevice&) = delete;
  ~WatchedDevice() {
    thread_ = {};
    cudaEventDestroy(event_);
    cudaStreamDestroy(stream_);
  }

  /// Ends the process with one sentence and exit code 1 if the device has failed; from any thread.
  void end_process_if_failed() const {
    int current = 0;
    cudaGetDevice(&current);
    cudaError_t status = cudaSuccess;
    for (int tries = 0; tries < 2; ++tries) {  // only an error that stays is the device's
      status = cudaSuccess;
      if (current != device_) status = cudaSetDevice(device_);
      if (status == cudaSuccess) status = asked();
      if (status == cudaSuccess) break;
      cudaGetLastError();
    }
    if (status != cudaSuccess) end_process(cudaGetErrorString(status));
    if (current != device_) cudaSetDevice(current);
  }

 private:
  /// What the driver tells when something is queued on the device.
  cudaError_t asked() const {
    cudaError_t status = cudaEventRecord(event_, stream_);
    if (status == cudaSuccess) status = cudaEventQuery(event_);
    if (status != cudaErrorNotReady) return status;
    cudaGetLastError();  // which is no error of this thread
    return cudaSuccess;
  }

  void watch(const std::stop_token& stop) const {
    constexpr std::chrono::milliseconds period(100);
    cudaSetDevice(device_);
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      end_process_if_failed();
      changed.wait_for(lock, stop, period, [] { return false; });
    }
  }

  [[noreturn]] void end_process(const char* reason) const {
    static std::mutex speaking;  // never unlocked: the first to find a failure tells it alone
    speaking.lock();
    const std::string said =
        sentence("CUDA device ", device_, " of ", ranks_, " has failed: ", reason,
                 "; no rank can go on, so the process ends (compute-sanitizer finds a kernel that faults)\n");
    std::fputs(said.c_str(), stderr);
    std::fflush(stderr);
    std::_Exit(1);
  }

  std::string ranks_;
  int device_ = cuda::current_device();
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  std::jthread thread_;
};

/// The devices of a job.
class DeviceWatch {
 public:
  /// Watches the current device, too, from now on.
  void add(std::string ranks) {
    auto device = std::make_unique<const WatchedDevice>(std::move(ranks));
    const std::lock_guard lock(mutex_);
    devices_.push_back(std::move(device));
  }

  /// Ends the process if one of them has failed.
  void end_process_if_one_failed() const {
    const std::lock_guard lock(mutex_);
    for (const auto& device : devices_) device->end_process_if_failed();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<const WatchedDevice>> devices_;
};

}  // namespace weft::peer
