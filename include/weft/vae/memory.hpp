// decoder_memory: what ranks take to decode, from the decoder's own code on the counting backend.
#pragma once

#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/comm/rehearsal.hpp"
#include "weft/core/range.hpp"
#include "weft/core/stage_memory.hpp"
#include "weft/vae/decoded.hpp"

namespace weft::inline v0_1::vae {

/// Returns the memory of a rank of `ranks` that decode latents of so many rows and columns in elements of
/// this size, one image after another: of its weights and of its buffers. Operators' own workspaces come on
/// top, on a device up to image_workspace_bytes.
template <class Element>
[[nodiscard]] StageMemory memory_of_rank(const AutoencoderConfig& config, Index height, Index width,
                                         int ranks, int rank) {
  const AutoencoderKL<Counting<Element>> model(config, ShapesAlone{});
  Rehearsal<counting::Queue> world(ranks, rank, [](const StridedBytes&) {});
  counting::Queue queue;
  const Tensor band({1, config.latent_channels, split(height, ranks, rank).size(), width});
  static_cast<void>(decoded(queue, model, band.view<4>(), height, world));
  return {model.weight_bytes(), queue.memory().peak()};
}

/// Returns the memory of each of them.
template <class Element>
[[nodiscard]] std::vector<StageMemory> decoder_memory(const AutoencoderConfig& config, Index height,
                                                      Index width, int ranks) {
  std::vector<StageMemory> out;
  for (int rank = 0; rank < ranks; ++rank)
    out.push_back(memory_of_rank<Element>(config, height, width, ranks, rank));
  return out;
}

}  // namespace weft::inline v0_1::vae
