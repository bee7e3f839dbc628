// PieceIndex: all pieces that a text begins with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/text/tokenizers/added_tokens.hpp"

namespace weft::inline v0_1::text {

class PieceIndex {
 public:
  /// A piece, not empty, and its id.
  using Entry = std::pair<std::string_view, Id>;

  PieceIndex() = default;

  /// Takes pieces, whose texts must outlive it.
  explicit PieceIndex(std::vector<Entry> pieces) : sorted_(std::move(pieces)) { std::ranges::sort(sorted_); }

  /// Calls take(id, length) for every piece that `text` begins with, the shortest first.
  template <class Take>
  void prefixes_of(std::string_view text, const Take& take) const {
    auto begin = sorted_.begin(), end = sorted_.end();  // the pieces that share the bytes before `at`
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto byte_of = [at](const Entry& entry) { return static_cast<unsigned char>(entry.first[at]); };
      const auto byte = static_cast<unsigned char>(text[at]);
      begin = std::partition_point(begin, end,
                                   [&byte_of, byte](const Entry& entry) { return byte_of(entry) < byte; });
      end = std::partition_point(begin, end,
                                 [&byte_of, byte](const Entry& entry) { return byte_of(entry) == byte; });
      if (begin == end) return;
      if (begin->first.size() > at + 1) continue;
      take(begin->second, at + 1);
      if (++begin == end) return;
    }
  }

  /// Returns the length of the longest piece that `text` begins with, or 0.
  std::size_t longest_prefix_of(std::string_view text) const {
    std::size_t longest = 0;
    prefixes_of(text, [&longest](Id, std::size_t length) { longest = length; });
    return longest;
  }

  /// Returns the piece that occurs twice, if there is one.
  std::optional<std::string_view> repeated() const {
    const auto at = std::ranges::adjacent_find(sorted_, {}, &Entry::first);
    return at == sorted_.end() ? std::nullopt : std::optional(at->first);
  }

 private:
  std::vector<Entry> sorted_;
};

}  // namespace weft::inline v0_1::text
