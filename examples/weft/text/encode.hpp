// The command `encode`: prompts to what a model's transformer reads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "../options/options.hpp"
#include "weft/text/encoded_text.hpp"

namespace command {

/// What each encoder makes of each prompt, by the encoders' folders.
using EncodedTexts = std::vector<std::map<std::string, weft::text::EncodedText>>;

/// Writes the states of the prompts, by the names of the encoders' folders: last_hidden_state (prompts,
/// tokens, width) and mask (prompts, tokens), and of CLIP penultimate_hidden_state and pooled.
void encode(const Options& options);

}  // namespace command
