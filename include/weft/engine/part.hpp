// Part: what one rank of a mesh evaluates of a request.
#pragma once

#include <utility>
#include <vector>

#include "weft/comm/mesh.hpp"
#include "weft/core/grid.hpp"
#include "weft/model/dit.hpp"
#include "weft/policy/job.hpp"

namespace weft::inline v0_1 {

/// Returns the layout of a sequence of `tokens`.
[[nodiscard]] inline Layout layout_of(const Mesh& mesh, Index tokens) {
  return {tokens, mesh.patch_count(), mesh.ring, mesh.ulysses};
}

/// Returns the rows of a sequence of `tokens` that a rank holds.
[[nodiscard]] inline Rows rows_of_rank(const Mesh& mesh, int rank, Index tokens) {
  return layout_of(mesh, tokens)
      .of_rank(mesh.coordinate(Axis::ring, rank), mesh.coordinate(Axis::ulysses, rank));
}

/// Returns the slice of its blocks' matrices that a rank holds.
[[nodiscard]] inline TensorSlice slice_of_rank(const Mesh& mesh, int rank) {
  return {mesh.coordinate(Axis::tensor, rank), mesh.tensor};
}

/// The same part, as the model and as policies see it.
template <Grid G>
struct PartOf {
  ShareOf<G> share;
  Job job;

  /// Returns the part of a rank that runs `blocks`, for `images` images after `prefix` other tokens, where
  /// the prediction is as wide as the latents, no rank has more images, no tokens are padding, and no text
  /// stands beside the sequence.
  static PartOf of_rank(const DitShape& model, const Mesh& mesh, int rank, std::vector<Range> blocks,
                        const G& image, Index prefix, Index images, Index steps) {
    const Index tokens = prefix + image.tokens();
    Index layers = 0;
    for (const Range& range : blocks) layers += model.attentions(range);
    const TensorSlice slice = slice_of_rank(mesh, rank);
    const Job job{.model = model.of_slice(slice),
                  .layout = layout_of(mesh, tokens),
                  .prefix = prefix,
                  .images = images,
                  .layers = layers,
                  .steps = steps,
                  .warmup = mesh.warmup,
                  .latent_features = image.features(),
                  .predicted_features = image.features(),
                  .most_images = images,
                  .slice = slice};
    return {{image, rows_of_rank(mesh, rank, tokens), std::move(blocks), images, prefix}, job};
  }
};

}  // namespace weft::inline v0_1
