// Frame: the special tokens before and after a prompt's pieces, and the padding.
#pragma once

#include <optional>

#include "weft/text/tokenizers/added_tokens.hpp"

namespace weft::inline v0_1::text {

struct Frame {
  std::optional<Id> first;   // before the pieces, if anything is
  Id last = 0;               // after the pieces
  Id padding = 0;            // up to the length that is asked for
  bool repeats_last = true;  // whether `last` also follows pieces that end with it
};

}  // namespace weft::inline v0_1::text
