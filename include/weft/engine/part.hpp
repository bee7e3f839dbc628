// Part: what one rank of a mesh evaluates of a request.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "weft/comm/mesh.hpp"
#include "weft/model/dit.hpp"
#include "weft/policy/job.hpp"

namespace weft::inline v0_1 {

/// The same part, as the model and as policies see it.
struct Part {
  Share share;
  Job job;

  /// Returns the part of a rank that runs `blocks`, for `images` images after `prefix` other tokens.
  static Part of_rank(const DitShape& model, const Mesh& mesh, int rank, std::vector<Range> blocks,
                      const ImageShape& image, Index prefix, Index images, Index steps) {
    const Index tokens = prefix + image.tokens();
    Index layers = 0;
    for (const Range& range : blocks) layers += model.attentions(range);
    return {{image, rows_of(mesh, rank, tokens), std::move(blocks), images, prefix},
            {model, layout_of(mesh, tokens), prefix, images, layers, steps, std::max(mesh.warmup, 1)}};
  }

  /// Returns the layout of a sequence of `tokens`, and the rows of it that a rank holds.
  static Layout layout_of(const Mesh& mesh, Index tokens) {
    return {tokens, mesh.patch_count(), mesh.ring, mesh.ulysses};
  }
  static Rows rows_of(const Mesh& mesh, int rank, Index tokens) {
    return layout_of(mesh, tokens)
        .of_rank(mesh.coordinate(Axis::ring, rank), mesh.coordinate(Axis::ulysses, rank));
  }
};

}  // namespace weft::inline v0_1
