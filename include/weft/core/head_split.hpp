// HeadSplit: the heads that each rank attends to, where several query heads may share a key head.
#pragma once

#include <stdexcept>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Throws std::logic_error unless the key heads divide the query heads among them.
inline void check_key_heads(Index query_heads, Index key_heads) {
  if (key_heads < 1 || query_heads % key_heads != 0)
    throw std::logic_error(sentence("attention was given ", query_heads, " heads of queries and ", key_heads,
                                    " of keys, which must divide them"));
}

/// The split of heads over ranks: query head h attends to key head h / (queries / keys), as in Ainslie et
/// al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints", 2023. Ranks
/// take whole key heads with all their queries. Where there are more ranks than key heads, these are copied,
/// and each copy serves an equal part of the queries: so on every rank key heads divide query heads.
struct HeadSplit {
  Index queries = 0, keys = 0;  // heads
  int ranks = 1;                // as many as query heads, or fewer

  /// Returns how many copies there are of each key head: the fewest that suffice.
  constexpr Index copies() const {
    const Index group = queries / keys;
    Index count = 1;
    while (count < group && (keys * count < ranks || group % count != 0)) ++count;
    return count;
  }
  /// Returns a rank's key heads, as numbers of copies.
  constexpr Range keys_of(int rank) const { return split(keys * copies(), ranks, rank); }
  constexpr Range queries_of(int rank) const {
    const Index each = queries / (keys * copies());
    const Range own = keys_of(rank);
    return {own.begin * each, own.end * each};
  }

  /// Calls body(from, to) for each stretch of a rank's key heads: `from` among the model's, `to` among the
  /// rank's.
  template <class Body>
  constexpr void for_each_stretch(int rank, const Body& body) const {
    const Range own = keys_of(rank);
    const Index each = copies();
    if (each == 1) return body(own, own + -own.begin);
    for (Index copy = own.begin; copy < own.end; ++copy)
      body(Range{copy / each, copy / each + 1}, Range{copy, copy + 1} + -own.begin);
  }
};

}  // namespace weft::inline v0_1
