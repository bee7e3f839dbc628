// Layout: which tokens of a sequence a rank holds. The same map serves warm-up and patches, so that a cache
// of keys and values has one layout for life.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// The tokens that a rank or a group of ranks holds: a range of each patch, numbered patch by patch without
/// gaps.
class Rows {
 public:
  explicit Rows(std::vector<Range> tokens = {}) : tokens_(std::move(tokens)) {
    for (const Range& range : tokens_) first_.push_back(first_.back() + range.size());
  }

  Index size() const { return first_.back(); }
  Index patches() const { return static_cast<Index>(tokens_.size()); }
  Range tokens(Index patch) const { return tokens_[static_cast<std::size_t>(patch)]; }

  /// Returns the rows of some patches.
  Range rows(Range patches) const {
    return {first_[static_cast<std::size_t>(patches.begin)], first_[static_cast<std::size_t>(patches.end)]};
  }
  Range rows(Index patch) const { return rows(Range{patch, patch + 1}); }

  /// Returns the rows of some patches whose tokens are in `range`: one stretch, since rows are in the order
  /// of tokens.
  Range rows(Range patches, Range range) const {
    const auto first_from = [this, patches](Index token) {
      Index row = rows(patches).begin;
      for (Index m = patches.begin; m < patches.end; ++m) row += common(tokens(m), {0, token}).size();
      return row;
    };
    return {first_from(range.begin), first_from(range.end)};
  }

  /// Returns the part of these rows whose tokens are in `range`, with tokens numbered from its begin.
  Rows within(Range range) const {
    std::vector<Range> out;
    for (const Range& tokens : tokens_) {
      const Range inside = common(tokens, range);
      out.push_back(inside.empty() ? Range{} : inside + -range.begin);
    }
    return Rows(std::move(out));
  }

  /// Returns the rows of tokens `range`, which must lie inside tokens(patch).
  Range rows_of_tokens(Index patch, Range range) const {
    return range + (rows(patch).begin - tokens(patch).begin);
  }

 private:
  std::vector<Range> tokens_;
  std::vector<Index> first_{0};
};

/// The partition of a sequence's tokens, of which an image's are row-major and last: into patches, each patch
/// into ring slices, each of those into ulysses slices; uneven where tokens do not divide, empty where they
/// are too few.
struct Layout {
  Index tokens = 0;
  int patches = 1, ring = 1, ulysses = 1;

  friend bool operator==(const Layout&, const Layout&) = default;

  constexpr Range patch(Index m) const { return split(tokens, patches, m); }
  constexpr Range ring_slice(Index m, int r) const { return split(patch(m), ring, r); }
  constexpr Range slice(Index m, int r, int u) const { return split(ring_slice(m, r), ulysses, u); }

  Rows of_all() const {
    return gathered([this](Index m) { return patch(m); });
  }
  Rows of_ring(int r) const {
    return gathered([this, r](Index m) { return ring_slice(m, r); });
  }
  Rows of_rank(int r, int u) const {
    return gathered([this, r, u](Index m) { return slice(m, r, u); });
  }

 private:
  template <class Part>
  Rows gathered(Part part) const {
    std::vector<Range> ranges;
    for (Index m = 0; m < patches; ++m) ranges.push_back(part(m));
    return Rows(std::move(ranges));
  }
};

}  // namespace weft::inline v0_1
