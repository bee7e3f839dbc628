// What ranks take to decode, from the decoder's own code on the counting backend.
#pragma once

#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/comm/rehearsal.hpp"
#include "weft/core/range.hpp"
#include "weft/core/stage_memory.hpp"
#include "weft/vae/decoded.hpp"

namespace weft::inline v0_1::vae {

/// What a rank takes to decode: its weights, and where a workspace has the arrays of an image.
struct RankMemory {
  Index weights = 0;
  MemoryPlan arrays{};
};

/// Returns the memory of a rank of `ranks` that decode latents of so many rows and columns in elements of
/// this size. Operators' own workspaces come on top, on a device up to image_workspace_bytes.
template <class Element>
[[nodiscard]] RankMemory memory_of_rank(const AutoencoderConfig& config, Index height, Index width, int ranks,
                                        int rank) {
  using Backend = Counting<Element>;
  const AutoencoderKL<Backend> model(config, ShapesAlone{});
  Rehearsal<counting::Queue> world(ranks, rank, [](const StridedBytes&) {});
  Bands<Backend, Rehearsal<counting::Queue>> bands(world, height, width);
  counting::Queue queue;
  Workspace<Backend> workspace;
  const Tensor band({1, config.latent_channels, bands.of(rank).size(), width});
  static_cast<void>(decoded(queue, workspace, model, bands, band.view<4>()));
  return {model.weight_bytes(), workspace.plan()};
}

/// Returns the memory of each of them.
template <class Element>
[[nodiscard]] std::vector<StageMemory> decoder_memory(const AutoencoderConfig& config, Index height,
                                                      Index width, int ranks) {
  std::vector<StageMemory> out;
  for (int rank = 0; rank < ranks; ++rank) {
    const RankMemory memory = memory_of_rank<Element>(config, height, width, ranks, rank);
    out.push_back({memory.weights, memory.arrays.bytes});
  }
  return out;
}

}  // namespace weft::inline v0_1::vae
