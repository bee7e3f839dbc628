// The tiles of keys that attention goes through.
#pragma once

#include <type_traits>

#include "weft/core/key_mask.hpp"

namespace weft::inline v0_1::kernels {

/// The hidden keys of a tile, and those that do not exist, numbered from the tile's first. Small enough to
/// stay in registers.
struct HiddenKeys {
  int end;                       // of those that exist
  int hidden_begin, hidden_end;  // among them

  __device__ bool operator()(int key) const {
    return key >= end || (key >= hidden_begin && key < hidden_end);
  }
};

/// Keys in tiles of `Size`, gone through from the last to the first.
template <int Size>
struct AllTiles {
  int keys;

  __device__ AllTiles(const KeyMask&, int, int count) : keys(count) {}

  __device__ bool empty() const { return keys == 0; }
  __device__ int last() const { return (keys + Size - 1) / Size - 1; }
  __device__ int next(int tile) const { return tile - 1; }
  __device__ HiddenKeys hidden(int tile) const { return {keys - tile * Size, 0, 0}; }
  __device__ bool hides_some(int tile) const { return tile == last(); }
};

/// An image's keys in tiles of `Size`, gone through from the last to the first without those of hidden keys
/// alone. The first of them has a key that is not hidden.
template <int Size>
struct VisibleTiles {
  int keys;                      // without hidden ones at the end
  int hidden_begin, hidden_end;  // among them
  int gap_begin, gap_end;        // tiles of hidden keys alone

  __device__ VisibleTiles(const KeyMask& mask, int image, int count) {
    const Range hidden = mask.hidden(image, count);
    const bool ends_hidden = hidden.end == count;
    keys = static_cast<int>(ends_hidden ? hidden.begin : count);
    hidden_begin = static_cast<int>(ends_hidden ? keys : hidden.begin);
    hidden_end = static_cast<int>(ends_hidden ? keys : hidden.end);
    gap_begin = (hidden_begin + Size - 1) / Size;
    gap_end = max(gap_begin, hidden_end / Size);
  }

  __device__ bool empty() const { return keys == 0; }
  __device__ int last() const { return (keys + Size - 1) / Size - 1; }
  __device__ int count() const { return last() + 1 - (gap_end - gap_begin); }
  /// Returns the tile after `tile`, which is before it among the keys; −1 after the first tile.
  __device__ int next(int tile) const { return tile == gap_end ? gap_begin - 1 : tile - 1; }

  /// Returns which keys of a tile are hidden or do not exist.
  __device__ HiddenKeys hidden(int tile) const {
    const int first = tile * Size;
    return {keys - first, hidden_begin - first, hidden_end - first};
  }
  /// Returns whether a tile has such keys.
  __device__ bool hides_some(int tile) const {
    return (tile + 1) * Size > keys || (hidden_begin < (tile + 1) * Size && tile * Size < hidden_end);
  }
};

template <int Size, bool masks>
using TilesOfKeys = std::conditional_t<masks, VisibleTiles<Size>, AllTiles<Size>>;

}  // namespace weft::inline v0_1::kernels
