// unset: a tag for buffers whose first content does not matter.
#pragma once

namespace weft::inline v0_1 {

struct Unset {};

/// Lets a buffer begin with any numbers, where all are written before they are read.
inline constexpr Unset unset;

}  // namespace weft::inline v0_1
