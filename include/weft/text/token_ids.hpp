// TokenIds: what a text encoder reads.
#pragma once

#include <cstdint>
#include <vector>

namespace weft::inline v0_1::text {

/// The row of a token in the table of embeddings.
using Id = std::int64_t;

/// Ids, and as many numbers that are 1 for a token and 0 for padding.
struct TokenIds {
  std::vector<Id> ids, mask;
};

}  // namespace weft::inline v0_1::text
