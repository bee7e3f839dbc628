// What text encoders make of prompts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "weft/text/encoded_text.hpp"

namespace command {

/// What each encoder makes of each prompt, by the encoders' folders.
using EncodedTexts = std::vector<std::map<std::string, weft::text::EncodedText>>;

}  // namespace command
