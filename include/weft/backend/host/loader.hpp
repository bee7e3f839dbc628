// Loading weights into host memory, converted by several threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/numbers.hpp"
#include "weft/core/share_out.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::host {

/// A list of fills, which `finish` runs. Views and mapped files must live until then. For one thread at a
/// time.
class Loader {
 public:
  explicit Loader(Queue&) {}

  /// Adds a fill of `to` with numbers in row-major order, or with those of a part of their matrix; stored
  /// ones must be as many as `to` has elements, or as the part's last row needs.
  template <class Numbers>
  void fill(const Numbers& numbers, const View<float, 3>& to) {
    fill(numbers, to, {.pitch = to.extent[2]});
  }
  void fill(const StoredNumbers& numbers, const View<float, 3>& to, const MatrixPart& part) {
    fill(MergedNumbers(numbers), to, part);
  }
  void fill(const MergedNumbers& numbers, const View<float, 3>& to, const MatrixPart& part) {
    add_rows(to, part,
             [numbers, width = to.extent[2]](Index first, float* row) { numbers.copy(first, width, row); });
  }
  void fill(const RandomNumbers& numbers, const View<float, 3>& to, const MatrixPart& part) {
    add_rows(to, part, [numbers, width = to.extent[2]](Index first, float* row) {
      for (Index i = 0; i < width; ++i) row[i] = drawn(numbers, static_cast<std::uint64_t>(first + i));
    });
  }

  /// Runs all fills that were added. Throws the first of their errors.
  void finish() {
    share_out(static_cast<Index>(fills_.size()), 64, [this](const auto& next) {
      while (const auto i = next()) fills_[static_cast<std::size_t>(*i)]();
    });
    fills_.clear();
  }

 private:
  /// Adds fills that call make(first, row) for every row, which begins at number `first`; each fill is about
  /// a million numbers.
  template <class Make>
  void add_rows(const View<float, 3>& to, const MatrixPart& part, const Make& make) {
    const Index rows = to.extent[0] * to.extent[1], width = to.extent[2];
    const Index most = std::max<Index>(1, (1 << 20) / std::max<Index>(width, 1));
    for (Index begin = 0; begin < rows; begin += most)
      fills_.push_back([to, part, make, begin, end = std::min(begin + most, rows)] {
        for (Index row = begin; row < end; ++row)
          make(part.row(row), to[row / to.extent[1]][row % to.extent[1]].data);
      });
  }

  std::vector<std::function<void()>> fills_;
};

}  // namespace weft::inline v0_1::host
