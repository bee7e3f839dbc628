// Text encoders on CUDA devices; in a build without nvcc, absent.cpp rejects them.
#pragma once

#include <string>
#include <vector>

#include "../options/options.hpp"
#include "../run/encoded_texts.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// Returns what the encoders of options.model, dealt out over the ranks of this process or, with --tensor,
/// over groups of them, make of each prompt: in options.dtype, and in bf16 for fp8, in which transformers'
/// blocks alone compute.
[[nodiscard]] EncodedTexts encode_on_cuda(const Options& options, const std::vector<std::string>& prompts,
                                          const weft::Progress& progress, weft::Trace* trace);

}  // namespace command
