// Where the heads of a matrix product go: what moves say of its output, by rows and columns.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "weft/heads.cuh"

namespace weft::inline v0_1::kernels {

inline constexpr int most_head_destinations = 24, most_head_changes = 4;  // of a product

/// Some rows and columns of a product's output: whole heads, one beside the other.
struct HeadBlock {
  int first_row, end_row, first_column, end_column;

  /// Returns how many of the output's numbers are in it.
  Index size() const { return Index{end_row - first_row} * (end_column - first_column); }
  __device__ bool has_column(int column) const { return first_column <= column && column < end_column; }
  bool shares_columns(const HeadBlock& other) const {
    return first_column < other.end_column && other.first_column < end_column;
  }
  /// Returns whether some of so many rows and columns are in it.
  __device__ bool meets(int row, int rows, int column, int columns) const {
    return row < end_row && row + rows > first_row && column < end_column && column + columns > first_column;
  }
};

/// Where a block goes: evenly spaced rows of memory, on this GPU or another.
template <class E>
struct HeadDestination {
  HeadBlock block;
  View<E, 3> to;  // (1, rows, columns) of the block
  int change;     // a number
};

/// Where the outputs of a product go, and what is done to them.
template <class E>
struct HeadDestinations {
  std::vector<HeadDestination<E>> all;
  std::vector<HeadChange> changes;  // all different

  /// Returns the number of a change.
  int number_of(const HeadChange& change) {
    const auto found = std::ranges::find(changes, change);
    if (found != changes.end()) return static_cast<int>(found - changes.begin());
    changes.push_back(change);
    return static_cast<int>(changes.size()) - 1;
  }
};

/// The output of a product as moves see it: (rows, columns), where a row is one of `images` of a token.
template <class E>
struct HeadRows {
  View<E, 2> out;
  Index images;

  /// Appends where the move brings numbers of this output; returns false for a move that a product cannot
  /// make.
  [[nodiscard]] bool append(const HeadMove<E>& move, HeadDestinations<E>& destinations) const {
    const auto& [from, to, of_move] = move;
    const Index pitch = out.stride[0], head_dim = from.width, offset = from.data - out.data,
                row = offset / pitch, column = offset % pitch, end_row = row + Index{from.extent[0]} * images,
                end_column = column + Index{from.extent[2]} * head_dim, to_pitch = pitch_of(to);
    if (offset < 0 || end_row > out.extent[0] || end_column > out.extent[1] || row % images != 0 ||
        column % head_dim != 0 || !is_even(from) || !is_even(to) || pitch_of(from) != pitch ||
        to_pitch % 8 != 0 || !move.moves_by(8))
      return false;
    HeadChange change = of_move;
    change.angles.cos -= row / images * change.angles.cos_stride;  // of the output's first token
    change.angles.sin -= row / images * change.angles.sin_stride;
    const HeadDestination<E> found{
        {static_cast<int>(row), static_cast<int>(end_row), static_cast<int>(column),
         static_cast<int>(end_column)},
        View<E, 3>(to.data, {1, end_row - row, end_column - column}, {0, to_pitch, 1}),
        destinations.number_of(change)};
    for (const HeadDestination<E>& other : destinations.all)
      if (found.block.shares_columns(other.block) && found.change != other.change) return false;
    destinations.all.push_back(found);
    return true;
  }

  /// Appends the columns that no destination takes, which stay in the output.
  void append_rest(HeadDestinations<E>& destinations) const {
    std::vector<HeadBlock> taken;
    for (const HeadDestination<E>& one : destinations.all) taken.push_back(one.block);
    std::ranges::sort(taken, {}, &HeadBlock::first_column);
    int column = 0;
    const auto stay_until = [this, &destinations, &column](int end) {
      if (column >= end) return;
      const HeadBlock block{0, static_cast<int>(out.extent[0]), column, end};
      destinations.all.push_back(
          {block, View<E, 3>(out.data + column, {1, out.extent[0], end - column}, {0, out.stride[0], 1}),
           destinations.number_of({})});
    };
    for (const HeadBlock& block : taken) {
      stay_until(block.first_column);
      column = std::max(column, block.end_column);
    }
    stay_until(static_cast<int>(out.extent[1]));
  }

 private:
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

/// Returns where the moves, and without them the columns that none takes, bring a product's output; nothing
/// where they take heads of other memory, some columns in part or twice, or do different things to one, or
/// are too many for a kernel.
template <class E>
std::optional<HeadDestinations<E>> head_destinations(const HeadRows<E>& rows,
                                                     std::span<const HeadMove<E>> moves) {
  HeadDestinations<E> found;
  for (const HeadMove<E>& move : moves)
    if (!rows.append(move, found)) return std::nullopt;
  rows.append_rest(found);
  Index numbers = 0;
  for (const HeadDestination<E>& one : found.all) numbers += one.block.size();
  if (found.all.size() > most_head_destinations || found.changes.size() > most_head_changes ||
      numbers != rows.out.size())
    return std::nullopt;
  return found;
}

}  // namespace weft::inline v0_1::kernels
