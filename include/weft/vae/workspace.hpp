// Workspace: one rank's memory for arrays that come and go in the same order in every pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "weft/core/memory_plan.hpp"
#include "weft/core/unset.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::vae {

/// Without memory it notes how long the arrays of a pass live, which must not be read or written; with memory
/// it lends the arrays of every further pass the places that fit those lifetimes.
template <class Backend>
class Workspace {
 public:
  template <class T>
  class Array;

  /// Makes one without memory.
  Workspace() = default;
  /// Takes memory for arrays that are placed so.
  Workspace(typename Backend::Queue& queue, MemoryPlan plan)
      : plan_(std::move(plan)), memory_(queue, plan_.bytes, unset) {}

  /// Begins a pass, while no array of the pass before lives.
  void restart() { lifetimes_.clear(); }

  /// Returns where the arrays of the latest pass may lie.
  [[nodiscard]] MemoryPlan plan() const { return plan_memory(lifetimes_); }

 private:
  /// Returns the number of the next array.
  std::size_t begin(Index bytes) {
    const std::size_t number = lifetimes_.size();
    lifetimes_.push_back({.bytes = bytes, .begin = number});
    return number;
  }
  void end(std::size_t number) { lifetimes_[number].end = lifetimes_.size(); }

  /// Returns where an array lies; without memory, an address at which nothing is.
  std::byte* at(std::size_t number) const {
    if (plan_.offsets.empty()) return reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40);
    return memory_.view(std::array{memory_.size()}).data + plan_.offsets.at(number);
  }

  std::vector<Lifetime> lifetimes_;
  MemoryPlan plan_;
  typename Backend::template Buffer<std::byte> memory_;
};

/// An array of numbers of any value. The next in its place is of the same queue, whose order separates what
/// is done with them.
template <class Backend>
template <class T>
class Workspace<Backend>::Array {
 public:
  Array(Workspace& workspace, Index size)
      : workspace_(&workspace), number_(workspace.begin(size * static_cast<Index>(sizeof(T)))) {}
  Array(Array&& other) noexcept
      : workspace_(std::exchange(other.workspace_, nullptr)), number_(other.number_) {}
  Array& operator=(Array&& other) noexcept {
    std::swap(workspace_, other.workspace_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Array() {
    if (workspace_) workspace_->end(number_);
  }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {reinterpret_cast<T*>(workspace_->at(number_)), extents};
  }

 private:
  Workspace* workspace_;
  std::size_t number_;
};

}  // namespace weft::inline v0_1::vae
