// DeviceWatch: ends the process when one of its devices has failed.
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
#include "weft/core/thread.hpp"

namespace weft::inline v0_1::peer {

using kernels::check;

/// A device that can be asked whether it has failed. After a kernel that faults it stays failed until the
/// process ends.
class WatchedDevice {
 public:
  /// Watches the current device; `ranks` says which ranks compute on it, such as "rank 1".
  explicit WatchedDevice(std::string ranks) : ranks_(std::move(ranks)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "watching the device");
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "watching the device");
  }
  WatchedDevice(const WatchedDevice&) = delete;
  WatchedDevice& operator=(const WatchedDevice&) = delete;
  ~WatchedDevice() {
    cudaEventDestroy(event_);
    cudaStreamDestroy(stream_);
  }

  /// Returns a name such as "CUDA device 1 of rank 1".
  std::string name() const { return sentence("CUDA device ", device_, " of ", ranks_); }

  /// Returns the error of the device, or success; the current device stays the same.
  cudaError_t failure() const {
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
    if (current != device_) cudaSetDevice(current);
    return status;
  }

 private:
  /// Returns the error that the driver reports when an event is queued on the device.
  cudaError_t asked() const {
    cudaError_t status = cudaEventRecord(event_, stream_);
    if (status == cudaSuccess) status = cudaEventQuery(event_);
    if (status != cudaErrorNotReady) return status;
    cudaGetLastError();  // not an error of this thread
    return cudaSuccess;
  }

  std::string ranks_;
  int device_ = cuda::current_device();
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
};

/// A thread that polls the devices of a job. Where one has failed, others wait for its events for good, and
/// the host returns neither from waiting for those devices nor from freeing their memory. So no exception
/// could end the ranks, and the watch ends the process.
class DeviceWatch {
 public:
  /// Adds the current device to those that are watched.
  void add(std::string ranks) {
    auto device = std::make_unique<const WatchedDevice>(std::move(ranks));
    const std::lock_guard lock(mutex_);
    devices_.push_back(std::move(device));
    if (!thread_.joinable())
      thread_ = start_thread("the watch over devices", [this](const std::stop_token& stop) { watch(stop); });
  }

  /// Ends the process with one sentence and exit code 1 if a device has failed. May be called by any thread.
  void end_process_if_one_failed() {
    const std::lock_guard lock(mutex_);
    if (failed().empty()) return;
    std::this_thread::sleep_for(
        std::chrono::milliseconds(50));  // the driver fails other devices too, at times first
    const std::vector<std::string> names = failed();
    const std::string said =
        sentence(listed(names), names.size() == 1 ? " has" : " have", " failed: ", reason_,
                 "; no rank can go on, so the process ends (compute-sanitizer finds a kernel that faults)\n");
    std::fputs(said.c_str(), stderr);
    std::fflush(stderr);
    std::_Exit(1);
  }

 private:
  std::vector<std::string> failed() {
    std::vector<std::string> names;
    for (const auto& device : devices_) {
      const cudaError_t status = device->failure();
      if (status == cudaSuccess) continue;
      names.push_back(device->name());
      reason_ = cudaGetErrorString(status);
    }
    return names;
  }

  void watch(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds period(100);
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      end_process_if_one_failed();
      changed.wait_for(lock, stop, period, [] { return false; });
    }
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<const WatchedDevice>> devices_;
  const char* reason_ = nullptr;
  std::jthread thread_;  // last, since it uses the others
};

}  // namespace weft::inline v0_1::peer
