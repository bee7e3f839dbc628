// Speed-ups that xDiT published, to stand beside projected ones.
#pragma once

#include <optional>

#include "weft/core/range.hpp"

namespace command {

/// Returns xDiT's speed-up on 2, 4 or 8 GPUs with the mesh of one method, or with its best mesh where
/// `method` is null; nothing if it published none.
[[nodiscard]] std::optional<double> published_speed_up(int px, const char* method, weft::Index gpus);

}  // namespace command
