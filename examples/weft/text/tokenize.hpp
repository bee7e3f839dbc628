// The command `tokenize`: prompts to the ids that a model's text encoders read.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Writes the ids and masks of the prompts, as I64 (prompts, length), by the names of the tokenizers'
/// folders.
void tokenize(const Options& options);

}  // namespace command
