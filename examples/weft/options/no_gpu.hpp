// What works on a machine without a GPU.
#pragma once

#include <string>

#include "options.hpp"

namespace command {

/// Returns how to change the options so that they need no GPU, as the end of a sentence.
[[nodiscard]] std::string advice_without_gpu(const Options& options);

}  // namespace command
