// The settings in the metadata of a file of inputs.
#pragma once

#include <string>
#include <vector>

#include "../options/options.hpp"
#include "model_settings.hpp"
#include "weft/io/safetensors.hpp"

namespace command {

/// Throws InvalidArgument for a setting in the metadata that is none of `known`, with what reads the file.
/// `format`, which other programs write, says nothing.
void check_settings(const weft::SafeTensors& file, const std::vector<std::string>& known, const char* reader);

/// Throws InvalidArgument for a setting that neither an evaluation nor a loop of this model reads, or that
/// contradicts the model's own.
void check_settings(const weft::SafeTensors& file, Command command, const ModelSettings& model);

}  // namespace command
