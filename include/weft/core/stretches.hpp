// Stretches: rows that lie in the memory of several ranks.
#pragma once

#include <array>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

/// Rows, one stretch of them after the other, each in memory of its own. The stretches have the same strides,
/// and differ in their first extents alone.
template <class T, int Rank>
class Stretches {
 public:
  /// Makes one stretch of a view; a view is taken wherever stretches are.
  Stretches(const View<T, Rank>& whole) : views_{whole} {}

  /// Takes at least one stretch, and leaves out empty ones among others.
  explicit Stretches(std::vector<View<T, Rank>> views) : views_(std::move(views)) {
    const View<T, Rank> first = views_.front();
    std::erase_if(views_, [](const View<T, Rank>& view) { return view.empty(); });
    if (views_.empty()) views_.push_back(first);
  }

  template <class Mutable = T>
  requires(!std::is_const_v<Mutable> && std::is_same_v<Mutable, T>) operator Stretches<const Mutable, Rank>()
      const {
    return Stretches<const Mutable, Rank>(
        std::vector<View<const Mutable, Rank>>(views_.begin(), views_.end()));
  }

  const std::vector<View<T, Rank>>& views() const { return views_; }

  /// Returns rows that lie in one stretch; others are a logic error.
  const View<T, Rank>& whole() const {
    if (views_.size() != 1)
      throw std::logic_error(sentence("rows lie in ", views_.size(), " stretches where one is needed"));
    return views_.front();
  }

  /// Returns the extents of all rows.
  std::array<Index, Rank> extent() const {
    std::array<Index, Rank> out = views_.front().extent;
    out[0] = 0;
    for (const View<T, Rank>& view : views_) out[0] += view.extent[0];
    return out;
  }

  /// Calls visit(view, rows) for each stretch and its range of all rows.
  template <class Visit>
  void for_each(const Visit& visit) const {
    Range rows{0, 0};
    for (const View<T, Rank>& view : views_) {
      rows = {rows.end, rows.end + view.extent[0]};
      visit(view, rows);
    }
  }

 private:
  std::vector<View<T, Rank>> views_;
};

/// Calls run(q, out, lse) with each stretch of attention's output (n, images, heads, head_dim), and the rows
/// of the queries and of the log-sum-exps (n, images, heads), which may be empty, that belong to it.
template <class E, class Run>
void for_each_stretch(const View<const E, 4>& q, const Stretches<E, 4>& out, const View<float, 3>& lse,
                      const Run& run) {
  out.for_each([&q, &lse, &run](const View<E, 4>& view, Range rows) {
    run(q.template slice<0>(rows), view, lse.data ? lse.template slice<0>(rows) : lse);
  });
}

}  // namespace weft::inline v0_1
