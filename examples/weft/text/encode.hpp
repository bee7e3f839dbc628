// The command `encode`: prompts to what a model's transformer reads.
#pragma once

#include "../options/options.hpp"
#include "../run/stages.hpp"

namespace command {

/// Encodes the prompts on the ranks of `stages`. Rank 0's process writes the states of the prompts, by the
/// names of the encoders' folders: last_hidden_state (prompts, tokens, width) and mask (prompts, tokens), and
/// of CLIP penultimate_hidden_state and pooled.
void encode(const Options& options, Stages& stages);

}  // namespace command
