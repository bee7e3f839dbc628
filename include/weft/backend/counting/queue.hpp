// The counting backend's queue: operators append what they would do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "weft/backend/counting/work.hpp"
#include "weft/backend/immediate_queue.hpp"

namespace weft::inline v0_1::counting {

/// Bytes of the buffers of one queue, now and at most; buffers may outlive their queue.
class Memory {
 public:
  Index bytes() const { return bytes_; }
  Index peak() const { return peak_; }

  /// Adds a buffer's bytes, and returns an address at which nothing is: no other buffer has it.
  std::uintptr_t take(Index bytes) {
    bytes_ += bytes;
    peak_ = std::max(peak_, bytes_);
    const std::uintptr_t address = next_;
    next_ += (static_cast<std::uintptr_t>(bytes) + 2 * alignment - 1) / alignment * alignment;
    return address;
  }
  void give(Index bytes) { bytes_ -= bytes; }

 private:
  static constexpr std::uintptr_t alignment = 256;

  Index bytes_ = 0, peak_ = 0;
  std::uintptr_t next_ = std::uintptr_t{1} << 40;
};

class Queue : public ImmediateQueue {
 public:
  class Milestones;
  struct [[maybe_unused]] Span {};

  /// Returns what operators have appended since the queue was made or cleared.
  const std::vector<Work>& work() const { return work_; }
  void append(const Work& work) { work_.push_back(work); }
  void clear() { work_.clear(); }

  const Memory& memory() const { return *memory_; }
  const std::shared_ptr<Memory>& shared_memory() const { return memory_; }

  Span span(const char*, const char*, Index = -1, Index = 0) { return {}; }
  void synchronize() {}

 private:
  std::vector<Work> work_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
};

/// Ends of steps, which take no time.
class Queue::Milestones {
 public:
  Milestones(Index, std::function<void(Index)> report) : report_(std::move(report)) {}

  void pass(Queue&) {
    ++passed_;
    if (report_) report_(passed_);
  }
  std::vector<double> watch() {
    return std::vector<double>(static_cast<std::size_t>(std::max<Index>(passed_ - 1, 0)));
  }

 private:
  std::function<void(Index)> report_;
  Index passed_ = 0;
};

}  // namespace weft::inline v0_1::counting
