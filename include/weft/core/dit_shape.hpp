// DitShape: the numbers of a Diffusion Transformer that parallel methods and their costs depend on.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// The blocks that a pipeline stage holds.
enum class Placement {
  contiguous,  // one range
  folded,      // a range of the first half and its mirror image in the second, so that long skips stay local;
               // the middle block of an odd number is the last stage's
};

/// A block as parallel methods see it.
struct BlockShape {
  static constexpr Index none = -1;

  Index skip_from = none;  // the block whose output it reads beside its own input
  Index attentions = 1;    // how often it asks for attention
  Index cost = 1;          // its time relative to that of others, by which stages are cut

  friend constexpr bool operator==(const BlockShape&, const BlockShape&) = default;
};

/// One of `count` slices of the matrices of blocks.
struct TensorSlice {
  int index = 0, count = 1;

  constexpr bool is_first() const { return index == 0; }
  /// Returns which of so many features are the slice's: whole groups of 16, as devices read them, where there
  /// are such.
  constexpr Range of(Index features) const {
    const Index each = std::gcd(features, Index{16});
    const Range own = split(features / each, count, index);
    return {own.begin * each, own.end * each};
  }
  friend constexpr auto operator<=>(const TensorSlice&, const TensorSlice&) = default;
  friend constexpr bool operator==(const TensorSlice&, const TensorSlice&) = default;
};

struct DitShape {
  Index blocks = 0;
  Index width = 0;  // features of a token
  Index heads = 0;
  Index head_dim = 0;
  Index patch = 0;         // latent elements along a token's side
  Index channels = 0;      // of the state
  Index out_channels = 0;  // of the prediction; more than `channels` where a variance is learned too
  Placement placement = Placement::contiguous;
  std::vector<BlockShape>
      differing{};     // one a block where they differ; empty: alike, with the skips of `placement`
  Index kv_heads = 0;  // heads of keys and values, which divide `heads`; 0: as many
  Index ffn = 0;  // features inside the feed-forward layer, by which backends check; 0: four times the width

  friend constexpr bool operator==(const DitShape&, const DitShape&) = default;

  /// Throws InvalidArgument unless a model of this shape can be run.
  void check() const {
    const auto need = [](const char* what, Index number) {
      if (number < 1) reject("the model's ", what, " is ", number, " and must be at least 1");
    };
    need("number of blocks", blocks);
    need("width", width);
    need("number of heads", heads);
    need("head_dim", head_dim);
    need("patch", patch);
    need("number of channels", channels);
    if (width % heads != 0 || width / heads != head_dim)
      reject("the model's width is ", width, " and must be its ", heads, " heads of ", head_dim,
             " features each, which are ", heads * head_dim);
    check_kv_heads();
    if (out_channels < channels)
      reject("the model predicts ", out_channels, " channels and must predict at least the ", channels,
             " of its state");
    if (placement == Placement::folded && blocks < 2)
      reject("the model's blocks are folded, and it has 1; fold 2 or more, or place them contiguously");
    check_blocks();
    if (ffn < 0) reject("the model's ffn is ", ffn, " and must not be negative");
  }

  /// Throws InvalidArgument unless the heads of keys divide those of queries.
  void check_kv_heads() const {
    if (kv_heads == 0) return;
    Index divisor = std::clamp<Index>(kv_heads, 1, heads);
    while (heads % divisor != 0) --divisor;
    if (divisor != kv_heads)
      reject("the model has ", kv_heads, " heads of keys, which must divide its ", heads,
             " heads of queries; ", divisor, " would do");
  }

  /// Throws InvalidArgument unless `differing` describes every block, and skips lead forward.
  void check_blocks() const {
    if (!differing.empty() && static_cast<Index>(differing.size()) != blocks)
      reject("the model has ", blocks, " blocks and describes ", differing.size(),
             "; describe each of them, or none where they are alike");
    for (Index i = 0; i < blocks; ++i) {
      const BlockShape shape = block(i);
      if (shape.skip_from != BlockShape::none && (shape.skip_from < 0 || shape.skip_from >= i))
        reject("block ", i, " reads the output of block ", shape.skip_from,
               " and can read that of an earlier one, 0 to ", i - 1);
      if (shape.attentions < 0 || shape.cost < 1)
        reject("block ", i, " asks for attention ", shape.attentions, " times and costs ", shape.cost,
               "; these must be 0 or more, and 1 or more");
    }
  }

  /// Returns the blocks of part `i` of `range` in `parts` parts of about the same cost, none of them empty
  /// where there are as many blocks.
  constexpr Range split_blocks(Range range, Index parts, Index i) const {
    Index total = 0;
    for (Index b = range.begin; b < range.end; ++b) total += block(b).cost;
    const auto begin_of = [this, range, parts, total](Index part) {
      Index end = range.begin;
      Index cost = 0;
      for (Index p = 1; p <= part; ++p) {
        const Index least = std::min(end + 1, range.end), most = std::max(range.end - (parts - p), least);
        while (end < most && (end < least || (cost + block(end).cost) * parts <= total * p))
          cost += block(end++).cost;
      }
      return end;
    };
    return {begin_of(i), begin_of(i + 1)};
  }

  /// Returns whether of so many pipeline stages none reads a skip from another.
  constexpr bool keeps_skips(Index stages) const {
    const Index last = placement == Placement::folded ? blocks / 2 : blocks;
    const auto stage_of = [this, stages, last](Index i) {
      const Index front = placement == Placement::folded && i >= blocks - last ? blocks - 1 - i : i;
      Index stage = 0;
      while (stage + 1 < stages && split_blocks({0, last}, stages, stage).end <= front) ++stage;
      return stage;
    };
    for (Index i = 0; i < blocks; ++i)
      if (reads_skip(i) && stage_of(i) != stage_of(block(i).skip_from)) return false;
    return true;
  }

  constexpr Index key_heads() const { return kv_heads > 0 ? kv_heads : heads; }
  constexpr Index ffn_width() const { return ffn > 0 ? ffn : 4 * width; }

  /// Return what a slice of each block's matrices has: key heads, all query heads of these, and hidden
  /// features of the feed-forward layer.
  constexpr Range key_heads_of(TensorSlice slice) const {
    return split(key_heads(), slice.count, slice.index);
  }
  constexpr Range heads_of(TensorSlice slice) const {
    const Index each = heads / key_heads();
    const Range own = key_heads_of(slice);
    return {own.begin * each, own.end * each};
  }
  constexpr Range hidden_of(TensorSlice slice) const { return slice.of(ffn_width()); }
  /// Returns the most slices of which each has heads and hidden features.
  constexpr Index most_slices() const {
    return std::min(key_heads(), ffn_width() / std::gcd(ffn_width(), Index{16}));
  }
  /// Returns the shape with the heads and hidden features of a slice alone; tokens stay as wide.
  DitShape of_slice(TensorSlice slice) const {
    DitShape out = *this;
    if (slice.count == 1) return out;
    out.heads = heads_of(slice).size();
    out.kv_heads = key_heads_of(slice).size();
    out.ffn = hidden_of(slice).size();
    return out;
  }

  constexpr bool has_long_skips() const { return placement == Placement::folded; }
  /// Returns the most stages of a pipeline; one of folded blocks has two of them at least.
  constexpr Index most_stages() const { return has_long_skips() ? blocks / 2 : blocks; }

  /// Returns block i: where blocks are alike and folded, those of the second half read what their mirror
  /// images in the first have put out. Blocks in the middle, two of an even number and one of an odd, have no
  /// skip.
  constexpr BlockShape block(Index i) const {
    if (!differing.empty()) return differing[static_cast<std::size_t>(i)];
    return {.skip_from = has_long_skips() && i > blocks / 2 ? blocks - 1 - i : BlockShape::none};
  }
  /// Returns whether block i reads the output of an earlier one beside its input.
  constexpr bool reads_skip(Index i) const { return block(i).skip_from != BlockShape::none; }
  /// Returns the first block that reads block i's output beside its own input, or BlockShape::none.
  constexpr Index reader_of(Index i) const {
    for (Index reader = i + 1; reader < blocks; ++reader)
      if (block(reader).skip_from == i) return reader;
    return BlockShape::none;
  }
  /// Returns whether there is one.
  constexpr bool is_kept(Index i) const { return reader_of(i) != BlockShape::none; }
  /// Returns how often the blocks in `range` ask for attention.
  constexpr Index attentions(Range range) const {
    Index count = 0;
    for (Index i = range.begin; i < range.end; ++i) count += block(i).attentions;
    return count;
  }
};

}  // namespace weft::inline v0_1
