// Whether what devices write into each other's memory arrives there.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "weft/backend/cuda/products.cuh"
#include "weft/elementwise.cuh"

namespace weft::peer {

using kernels::check;

struct CopyWords {
  const std::uint32_t* from;
  std::uint32_t* to;

  __device__ void operator()(Index i, int) const { to[i] = from[i]; }
};

/// One device's part in the check. Drivers report which memory a device reaches, but not that an IOMMU, or
/// the access control services (ACS) of a PCIe switch, send elsewhere what goes there.
class AccessCheck {
 public:
  /// How a device's words come to another: stored by a kernel there, loaded by one here, or copied.
  enum Way { stored, loaded, copied };

  /// Of the current device, number `device` of `devices`.
  AccessCheck(int device, int devices)
      : device_(device), devices_(devices), memory_(sizeof(std::uint32_t) * place(copied, devices)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Checking peer access");
    const std::vector<std::uint32_t> own = words_of(device);
    check(cudaMemcpyAsync(words(memory_.data()), own.data(), bytes, cudaMemcpyHostToDevice, stream_),
          "Checking peer access");
    check(cudaStreamSynchronize(stream_), "Checking peer access");
  }
  AccessCheck(const AccessCheck&) = delete;
  AccessCheck& operator=(const AccessCheck&) = delete;
  ~AccessCheck() { cudaStreamDestroy(stream_); }

  /// What the others write into.
  void* memory() const { return memory_.data(); }
  /// Where the words are that came from device `from` that way, counted in words.
  std::size_t place(Way way, int from) const {
    return count * (1 + static_cast<std::size_t>(way) * static_cast<std::size_t>(devices_) +
                    static_cast<std::size_t>(from));
  }

  /// Sends the device's words to all others, and loads theirs, once all have theirs in `memory`.
  void exchange(const std::vector<void*>& memory) const {
    std::uint32_t* const own = words(memory_.data());
    for (int other = 0; other < devices_; ++other) {
      if (other == device_) continue;
      std::uint32_t* const theirs = words(memory[static_cast<std::size_t>(other)]);
      kernels::for_each_number(stream_, count, 1, CopyWords{own, theirs + place(stored, device_)});
      kernels::for_each_number(stream_, count, 1, CopyWords{theirs, own + place(loaded, other)});
      check(cudaMemcpyAsync(theirs + place(copied, device_), own, bytes, cudaMemcpyDefault, stream_),
            "Checking peer access");
    }
    check(cudaStreamSynchronize(stream_), "Checking peer access");
  }

  /// Throws InvalidArgument if something has not come, once all have exchanged.
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

  /// Words that no other device has.
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
          "Checking peer access");
    check(cudaStreamSynchronize(stream_), "Checking peer access");
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

}  // namespace weft::peer
