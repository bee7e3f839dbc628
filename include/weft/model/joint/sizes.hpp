// The kinds of blocks of joint attention.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1::joint {

/// The ways in which a block differs from the plain one.
struct BlockKind {
  bool is_dual = false;     // a second attention, among the image alone
  bool drops_text = false;  // the last: nothing reads the text it would put out
};

/// Vectors of modulation.
constexpr Index image_vectors(const BlockKind& kind) { return kind.is_dual ? 9 : 6; }
constexpr Index text_vectors(const BlockKind& kind) { return kind.drops_text ? 2 : 6; }

}  // namespace weft::inline v0_1::joint
