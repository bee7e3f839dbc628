// ModelWork: what a model asks of a rank, as planners see it.
#pragma once

#include <compare>
#include <span>
#include <vector>

#include "weft/backend/counting/work.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/policy/reuse.hpp"

namespace weft::inline v0_1::planner {

using counting::Work;
using counting::WorkKind;

/// The rows that a rank holds of a unit's tokens, of which the first are of the prefix; for so many images;
/// and its slice of the blocks' matrices.
struct RankRows {
  Index rows = 0, prefix = 0, images = 1;
  TensorSlice slice{};

  friend constexpr auto operator<=>(const RankRows&, const RankRows&) = default;
  friend constexpr bool operator==(const RankRows&, const RankRows&) = default;
};

/// A request, for its memory. `images` are evaluated by the rank as one batch.
struct MemoryRequest {
  Index tokens = 0;  // of an image
  Index prompts = 1, branches = 2, steps = 1;
  bool thresholds = false;
  bool pushes = false;  // whether ranks store into each other's memory
  Reuse reuse{};

  friend constexpr auto operator<=>(const MemoryRequest&, const MemoryRequest&) = default;
  friend constexpr bool operator==(const MemoryRequest&, const MemoryRequest&) = default;
};

/// Bytes that an engine takes besides weights.
struct EngineMemory {
  Index conditioning = 0;  // the model's own, for a whole request
  Index keys = 0;          // what policies hold for attention
  Index activations = 0;   // all else
  Index messages = 0;      // receive buffers, where messages land in such
  Index temporary = 0;     // what conditioning takes besides, before the first step
};

/// Counts are made when they are first asked for, and kept: one thread at a time may use it.
class ModelWork {
 public:
  virtual ~ModelWork() = default;

  virtual const DitShape& shape() const = 0;
  /// Returns the tokens before the image's.
  virtual Index prefix() const = 0;
  virtual Index element_bytes() const = 0;

  /// Returns a number that blocks of the same work and weights share, the first of their indices.
  virtual Index kind(Index block) const = 0;
  /// Return the work of a block of a kind, and of embed and unembed together.
  virtual std::span<const Work> block(Index kind, const RankRows& rows) const = 0;
  virtual std::span<const Work> ends(const RankRows& rows) const = 0;

  /// Returns the bytes of the weights of `blocks`, whole or of one slice, and of all that blocks share.
  virtual Index weights(const std::vector<Range>& blocks, TensorSlice slice = {}) const = 0;
  /// Returns the bytes that these take in addition while they are narrowed.
  virtual Index staged(const std::vector<Range>& blocks, TensorSlice slice = {}) const = 0;
  /// Returns the memory of a rank's engine for the model with its blocks placed as `placed` says.
  virtual EngineMemory memory(const DitShape& placed, const Mesh& mesh, int rank,
                              const MemoryRequest& request) const = 0;
};

/// Returns the operations of products and attention in one evaluation of `images` images of so many tokens,
/// in which the blocks `spared` are left out.
inline double flop(const ModelWork& work, Index tokens, Index images, Range spared = {}) {
  const RankRows rows{work.prefix() + tokens, work.prefix(), images};
  double sum = 0;
  const auto add = [&sum, &work, tokens](std::span<const Work> all) {
    for (Work some : all) {
      if (some.kind == WorkKind::heads) {
        some.kind = WorkKind::attention;
        some.n = some.n == 1 ? tokens : work.prefix() + tokens;
      }
      sum += some.flop();
    }
  };
  add(work.ends(rows));
  for (Index i = 0; i < work.shape().blocks; ++i)
    if (!spared.contains(i)) add(work.block(work.kind(i), rows));
  return sum;
}

}  // namespace weft::inline v0_1::planner
