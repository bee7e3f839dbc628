// Where the heads of a matrix product go: what moves say of its output, by rows and columns.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "weft/heads.cuh"

namespace weft::inline v0_1::kernels {

inline constexpr int most_head_destinations = 24;  // of a product

/// Some rows and columns of a product's output: whole heads, one beside the other.
struct HeadBlock {
  int first_row, end_row, first_column, end_column;

  /// Returns how many of the output's numbers are in it.
  Index size() const { return Index{end_row - first_row} * (end_column - first_column); }
  __host__ __device__ bool has_column(int column) const {
    return first_column <= column && column < end_column;
  }
  /// Returns whether some of so many rows and columns are in it.
  __host__ __device__ bool meets(int row, int rows, int column, int columns) const {
    return row < end_row && row + rows > first_row && column < end_column && column + columns > first_column;
  }
};

/// Where a block goes: evenly spaced rows of memory, on this GPU or another.
template <class E>
struct HeadDestination {
  HeadBlock block;
  View<E, 3> to;  // (1, rows, columns) of the block
  HeadChange change;
};

/// The output of a product as moves see it: (rows, columns), where a row is one of `images` of a token.
template <class E>
struct HeadRows {
  View<E, 2> out;
  Index images;

  /// Returns where the move takes numbers of this output, or nothing where it takes none. Throws nothing: for
  /// a move that a product cannot make, `fits` is false.
  std::optional<HeadDestination<E>> destination(const HeadMove<E>& move, bool& fits) const {
    const auto& [from, to, change] = move;
    const Index pitch = out.stride[0], head_dim = from.width;
    const Index first = floor_div(from.data - out.data, pitch), column = from.data - out.data - first * pitch;
    const Index begin = std::max<Index>(first, 0),
                end = std::min(first + Index{from.extent[0]} * images, out.extent[0]);
    if (begin >= end) return std::nullopt;
    const Index columns = Index{from.extent[2]} * head_dim, to_pitch = pitch_of(to);
    fits = fits && first % images == 0 && column % head_dim == 0 && column + columns <= out.extent[1] &&
           is_even(from) && is_even(to) && pitch_of(from) == pitch && to_pitch % 8 == 0 &&
           move.moves_by(8);
    HeadDestination<E> destination{
        {static_cast<int>(begin), static_cast<int>(end), static_cast<int>(column),
         static_cast<int>(column + columns)},
        View<E, 3>(to.data + (begin - first) * to_pitch, {1, end - begin, columns}, {0, to_pitch, 1}),
        change};
    const Index before = first / images;  // tokens of the output before the move's first
    Angles& angles = destination.change.angles;
    if (change.rotates) {
      angles.cos -= before * angles.cos_stride;
      angles.sin -= before * angles.sin_stride;
    }
    return destination;
  }

  /// Returns, as destinations of their own, the columns of which `others` take none: they stay in the output.
  std::vector<HeadDestination<E>> rest(std::vector<HeadDestination<E>> others) const {
    std::ranges::sort(others, {}, [](const HeadDestination<E>& other) { return other.block.first_column; });
    std::vector<HeadDestination<E>> out_of_all;
    int column = 0;
    const auto stay_until = [this, &out_of_all, &column](int end) {
      if (column < end)
        out_of_all.push_back({{0, static_cast<int>(out.extent[0]), column, end},
                              View<E, 3>(out.data + column, {1, out.extent[0], end - column},
                                         {0, out.stride[0], 1}),
                              {}});
    };
    for (const HeadDestination<E>& other : others) {
      stay_until(other.block.first_column);
      column = std::max(column, other.block.end_column);
    }
    stay_until(static_cast<int>(out.extent[1]));
    return out_of_all;
  }

 private:
  static Index floor_div(Index a, Index b) { return a / b - (a % b < 0); }

  /// Returns how far rows (token, image) are apart.
  template <class T>
  Index pitch_of(const RowsOf<T, 4>& heads) const {
    return heads.stride[images == 1 ? 0 : 1];
  }
  /// Returns whether rows are evenly spaced, and heads lie one beside the other.
  template <class T>
  bool is_even(const RowsOf<T, 4>& heads) const {
    return heads.extent[1] == images && (heads.extent[2] == 1 || heads.stride[2] == heads.width) &&
           (images == 1 || heads.extent[0] == 1 || heads.stride[0] == images * heads.stride[1]);
  }
};

/// Where the outputs of a product go, and how many of its numbers moves take.
template <class E>
struct HeadDestinations {
  std::vector<HeadDestination<E>> all;
  Index moved = 0;
};

/// Returns where the moves, and without them the columns that none takes, bring a product's output; nothing
/// where they take some columns in part or twice, or do different things to one, or are too many for a kernel.
template <class E>
std::optional<HeadDestinations<E>> head_destinations(const HeadRows<E>& rows,
                                                     std::span<const HeadMove<E>> moves) {
  HeadDestinations<E> found;
  bool fits = true;
  for (const HeadMove<E>& move : moves)
    if (const auto destination = rows.destination(move, fits)) {
      for (const HeadDestination<E>& other : found.all) {
        const HeadBlock &a = destination->block, &b = other.block;
        const bool meets = a.first_column < b.end_column && b.first_column < a.end_column;
        fits = fits && (!meets || destination->change == other.change);
      }
      found.moved += destination->block.size();
      found.all.push_back(*destination);
    }
  Index numbers = found.moved;
  for (const HeadDestination<E>& rest : rows.rest(found.all)) {
    numbers += rest.block.size();
    found.all.push_back(rest);
  }
  if (!fits || found.all.size() > most_head_destinations || numbers != rows.out.size()) return std::nullopt;
  return found;
}

}  // namespace weft::inline v0_1::kernels
