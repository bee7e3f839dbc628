// AccessCheck: a test that what devices write into each other's memory arrives there.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "weft/backend/cuda/products.cuh"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::peer {

using kernels::check;

struct CopyWords {
  const std::uint32_t* from;
  std::uint32_t* to;

  __device__ void operator()(Index i, int) const { to[i] = from[i]; }
};

/// One device's part in the check. Drivers report which memory a device reaches, but not that an IOMMU, or
/// the access control services (ACS) of a PCIe switch, redirect its accesses.
class AccessCheck {
 public:
  /// The ways of a device's words to another: stored by its kernel, loaded by the other's kernel, or copied.
  enum Way { stored, loaded, copied };

  /// Prepares the check of the current device, number `device` of `devices`.
  AccessCheck(int device, int devices)
      : device_(device), devices_(devices), memory_(sizeof(std::uint32_t) * place(copied, devices)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "checking peer access");
    const std::vector<std::uint32_t> own = words_of(device);
    check(cudaMemcpyAsync(words(memory_.data()), own.data(), bytes, cudaMemcpyHostToDevice, stream_),
          "checking peer access");
    check(cudaStreamSynchronize(stream_), "checking peer access");
  }
  AccessCheck(const AccessCheck&) = delete;
  AccessCheck& operator=(const AccessCheck&) = delete;
  ~AccessCheck() { cudaStreamDestroy(stream_); }

  /// Returns the memory that the others write into.
  void* memory() const { return memory_.data(); }
  /// Returns the place, in words, of what came from device `from` in that way.
  std::size_t place(Way way, int from) const {
    return count * (1 + static_cast<std::size_t>(way) * static_cast<std::size_t>(devices_) +
                    static_cast<std::size_t>(from));
  }

  /// Stores and copies this device's words to all others, and loads theirs; the checks of all devices have
  /// been constructed before, and `memory` is theirs.
  void exchange(const std::vector<void*>& memory) const {
    std::uint32_t* const own = words(memory_.data());
    for (int other = 0; other < devices_; ++other) {
      if (other == device_) continue;
      std::uint32_t* const theirs = words(memory[static_cast<std::size_t>(other)]);
      kernels::for_each_number(stream_, count, 1, CopyWords{own, theirs + place(stored, device_)});
      kernels::for_each_number(stream_, count, 1, CopyWords{theirs, own + place(loaded, other)});
      check(cudaMemcpyAsync(theirs + place(copied, device_), own, bytes, cudaMemcpyDefault, stream_),
            "checking peer access");
    }
    check(cudaStreamSynchronize(stream_), "checking peer access");
  }

  /// Throws InvalidArgument if words have not arrived; all devices must have exchanged before.
  void check_arrivals() const {
    for (int from = 0; from < devices_; ++from) {
      if (from == device_) continue;
      need(stored, from,
           sentence("what a kernel of CUDA device ", from, " stores into the memory of device ", device_));
      need(loaded, from,
           sentence("what a kernel of CUDA device ", device_, " loads from the memory of device ", from));
      need(copied, from,
           sentence("what is copied from the memory of CUDA device ", from, " to that of device ", device_));
    }
  }

 private:
  static constexpr std::size_t count = 1024, bytes = count * sizeof(std::uint32_t);

  static std::uint32_t* words(void* memory) { return static_cast<std::uint32_t*>(memory); }

  /// Returns words that no other device has.
  static std::vector<std::uint32_t> words_of(int device) {
    std::vector<std::uint32_t> out(count);
    for (std::size_t i = 0; i < count; ++i)
      out[i] = 0x9e3779b9u * static_cast<std::uint32_t>(count * static_cast<std::size_t>(device) + i + 1);
    return out;
  }

  void need(Way way, int from, const std::string& what) const {
    std::vector<std::uint32_t> found(count);
    check(cudaMemcpyAsync(found.data(), words(memory_.data()) + place(way, from), bytes,
                          cudaMemcpyDeviceToHost, stream_),
          "checking peer access");
    check(cudaStreamSynchronize(stream_), "checking peer access");
    if (found == words_of(from)) return;
    reject(
        what,
        " does not arrive, though the driver says that they reach each other, as where an IOMMU or PCIe "
        "access control services (ACS) are on; turn those off, run one process a device with NCCL, or choose "
        "other devices by CUDA_VISIBLE_DEVICES");
  }

  int device_, devices_;
  cuda::DeviceMemory memory_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace weft::inline v0_1::peer
