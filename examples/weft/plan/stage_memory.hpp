// The memory of a pipeline's stages around its transformer: text encoders and decoder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../options/options.hpp"
#include "memory.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/core/stage_memory.hpp"
#include "weft/vae/config.hpp"

namespace command {

/// Returns the memory of each of a mesh's ranks, which encode these texts by the encoders of a model. Throws
/// InvalidArgument if one of them is missing or not valid, or a text is not.
[[nodiscard]] std::vector<weft::StageMemory> encoder_memory(const std::filesystem::path& model,
                                                            std::optional<weft::Index> max_sequence_length,
                                                            Dtype dtype,
                                                            const std::vector<std::string>& texts,
                                                            const weft::Mesh& mesh);

/// Returns the memory of each of `ranks` ranks that decode latents of so many rows and columns.
[[nodiscard]] std::vector<weft::StageMemory> decoder_memory(const weft::AutoencoderConfig& config,
                                                            Backend backend, Dtype dtype, weft::Index height,
                                                            weft::Index width, int ranks);

/// A stage's memory on its ranks, which in one process may share one copy of the weights in each memory.
struct StagePlan {
  const char* name;  // such as "decoder"
  std::vector<weft::StageMemory> ranks;
  bool shares_weights = false;
};

/// Returns a line that describes the stage's memory where ranks take most of it. Throws InvalidArgument if
/// that is more than the options leave.
[[nodiscard]] std::string checked_stage(const Options& options, const StagePlan& stage);

}  // namespace command
