// MergeTable: the merges of a byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "weft/text/tokenizers/added_tokens.hpp"

namespace weft::inline v0_1::text {

class MergeTable {
 public:
  /// Adds the merge of two neighbours to `merged`, after all that are there; one that is there stays. Ids fit
  /// in 32 bits.
  void add(Id left, Id right, Id merged) {
    merges_.try_emplace(key(left, right), Merge{merges_.size(), merged});
  }

  /// Merges neighbours, the earliest merge first and, of equal ones, the leftmost.
  std::vector<Id> merged(std::vector<Id> symbols) const {
    constexpr auto none = static_cast<std::size_t>(-1);
    std::vector<std::size_t> next(symbols.size()), previous(symbols.size());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      previous[i] = i - 1;  // none before the first
      next[i] = i + 1 < symbols.size() ? i + 1 : none;
    }
    using Candidate = std::tuple<std::size_t, std::size_t, Id>;  // rank, place of the left one, merged
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
    const auto offer = [&symbols, &next, &candidates, this](std::size_t left) {
      if (left == none || next[left] == none) return;
      const auto at = merges_.find(key(symbols[left], symbols[next[left]]));
      if (at != merges_.end()) candidates.emplace(at->second.rank, left, at->second.merged);
    };
    for (std::size_t i = 0; i < symbols.size(); ++i) offer(i);
    while (!candidates.empty()) {
      const auto [rank, left, merged] = candidates.top();
      candidates.pop();
      if (symbols[left] < 0 || next[left] == none) continue;
      const std::size_t right = next[left];
      const auto at = merges_.find(key(symbols[left], symbols[right]));
      if (at == merges_.end() || at->second.rank != rank) continue;  // another merge came first
      symbols[left] = merged;
      symbols[right] = -1;
      next[left] = next[right];
      if (next[right] != none) previous[next[right]] = left;
      offer(previous[left]);
      offer(left);
    }
    std::erase_if(symbols, [](Id symbol) { return symbol < 0; });
    return symbols;
  }

 private:
  struct Merge {
    std::size_t rank;
    Id merged;
  };

  static std::uint64_t key(Id left, Id right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
  }

  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace weft::inline v0_1::text
