// EncodedText: what a text encoder makes of a prompt.
#pragma once

#include <vector>

#include "weft/core/tensor.hpp"
#include "weft/text/token_ids.hpp"

namespace weft::inline v0_1::text {

struct EncodedText {
  Tensor states;         // (tokens, width): the last hidden state, of padding too
  Tensor penultimate{};  // (tokens, width): CLIP's states before its last layer, without the final norm
  Tensor pooled{};       // (width): CLIP's state at the end of the text, projected if its class projects
  std::vector<Id> mask;  // 1 for a token, 0 for padding
};

}  // namespace weft::inline v0_1::text
