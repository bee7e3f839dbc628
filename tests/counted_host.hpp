// The Host backend, which counts the memory of a rank's buffers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "weft/backend/host.hpp"

/// Bytes of the buffers that the calling thread, which is one rank, holds now, has held at most since `peak`
/// was set, and may hold: one more is std::bad_alloc.
struct HeldBytes {
  static inline thread_local weft::Index now = 0, peak = 0, limit = std::numeric_limits<weft::Index>::max();
};

struct CountedHost : weft::Host {
  static weft::FreeMemory free_memory() {
    return {1, static_cast<std::uint64_t>(HeldBytes::limit - HeldBytes::now)};
  }

  template <class T>
  class Buffer : public weft::Host::Buffer<T> {
   public:
    Buffer() = default;
    Buffer(Queue& queue, weft::Index size)
        : weft::Host::Buffer<T>(queue, size), bytes_(size * static_cast<weft::Index>(sizeof(T))) {
      if (bytes_ > HeldBytes::limit - HeldBytes::now) throw std::bad_alloc();
      HeldBytes::now += bytes_;
      HeldBytes::peak = std::max(HeldBytes::peak, HeldBytes::now);
    }
    Buffer(Queue& queue, weft::Index size, weft::Unset) : Buffer(queue, size) {}
    Buffer(Buffer&& other) noexcept
        : weft::Host::Buffer<T>(std::move(other)), bytes_(std::exchange(other.bytes_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
      weft::Host::Buffer<T>::operator=(std::move(other));
      HeldBytes::now -= std::exchange(bytes_, std::exchange(other.bytes_, 0));
      return *this;
    }
    ~Buffer() { HeldBytes::now -= bytes_; }

   private:
    weft::Index bytes_ = 0;
  };
};
