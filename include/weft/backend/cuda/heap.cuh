// Heap: memory that buffers share, whose size is measured before it is allocated as a whole.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "weft/backend/cuda/pool.cuh"

namespace weft::inline v0_1::cuda {

/// A heap for memory that other processes reach, which all ranks must allocate together and in the same size.
class Heap {
 public:
  /// `provide(bytes)` allocates memory on the device; all ranks that share it call it together.
  explicit Heap(std::function<Memory(std::size_t)> provide) : provide_(std::move(provide)) {}

  /// Calls body twice: once to measure what it takes, which is then allocated, and once to take it.
  template <class Body>
  void take_together(const Body& body) {
    struct Closing {
      Heap& heap;
      ~Closing() {
        heap.state_ = State::closed;
        heap.memory_.reset();
      }
    } closing{*this};
    state_ = State::measuring;
    used_ = 0;
    body();
    memory_ = provide_(std::exchange(used_, 0));
    state_ = State::handing_out;
    body();
  }

  /// Returns whether `take_together` is in progress.
  bool is_open() const { return state_ != State::closed; }

  /// Returns the next slice; null while the heap measures. A slice keeps the whole memory alive.
  [[nodiscard]] Memory take(std::size_t bytes) {
    constexpr std::size_t alignment = 256;
    void* const part = memory_ ? static_cast<std::byte*>(memory_.get()) + used_ : nullptr;
    used_ += (bytes + alignment - 1) / alignment * alignment;
    return {memory_, part};
  }

 private:
  enum class State { closed, measuring, handing_out };

  std::function<Memory(std::size_t)> provide_;
  State state_ = State::closed;
  std::size_t used_ = 0;
  Memory memory_;
};

}  // namespace weft::inline v0_1::cuda
