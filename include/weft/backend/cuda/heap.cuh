// Heap: memory that buffers share, measured first and taken then as a whole.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "weft/backend/cuda/pool.cuh"

namespace weft::cuda {

/// Where devices of other processes reach memory only if all ranks take as much at the same time.
class Heap {
 public:
  /// `provide(bytes)` takes memory on the device; all ranks that share it call it together.
  explicit Heap(std::function<Memory(std::size_t)> provide) : provide_(std::move(provide)) {}

  /// Calls body twice: once to learn how much it takes, which is then provided, and once to take it.
  template <class Body>
  void take_together(const Body& body) {
    struct Closing {
      Heap& heap;
      ~Closing() { heap.state_ = State::closed, heap.memory_.reset(); }
    } closing{*this};
    state_ = State::measuring, used_ = 0;
    body();
    memory_ = provide_(std::exchange(used_, 0));
    state_ = State::handing_out;
    body();
  }

  /// Whether what is taken now is the body's.
  bool is_open() const { return state_ != State::closed; }

  /// The next part; null while the heap measures.
  Memory take(std::size_t bytes) {
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

}  // namespace weft::cuda
