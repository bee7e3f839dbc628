// How many tiles cover something.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1::kernels {

/// Returns n / by, rounded up.
constexpr int ceil_div(Index n, Index by) { return static_cast<int>((n + by - 1) / by); }

}  // namespace weft::inline v0_1::kernels
