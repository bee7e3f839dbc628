// Text encoders on a CUDA device; in a build without nvcc, absent.cpp rejects them.
#pragma once

#include "../options/options.hpp"
#include "../text/encode.hpp"

namespace command {

/// Returns what the encoders of options.model make of each prompt on the current device, in options.dtype,
/// and in bf16 for fp8, in which transformers' blocks alone compute.
[[nodiscard]] EncodedTexts encode_on_cuda(const Options& options, const std::vector<std::string>& prompts);

}  // namespace command
