// StridedBytes: the memory of a message, rows of bytes at equal distances.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

/// Does not own its memory.
struct StridedBytes {
  std::byte* data = nullptr;
  Index rows = 0;
  Index row_bytes = 0;
  Index stride = 0;  // in bytes

  StridedBytes() = default;

  /// Describes a view whose leading dimensions have one common stride: a slice of rows, or of the heads of
  /// every row. Throws std::logic_error at any other view.
  template <class T, int Rank>
  StridedBytes(const View<T, Rank>& view)
      : data(const_cast<std::byte*>(reinterpret_cast<const std::byte*>(view.data))) {
    Index run = 1;
    int d = Rank - 1;
    for (; d >= 0 && (view.extent[d] == 1 || view.stride[d] == run); --d) run *= view.extent[d];
    row_bytes = run * static_cast<Index>(sizeof(T));
    rows = 1;
    stride = row_bytes;
    if (view.empty()) {
      rows = 0;
      row_bytes = 0;
      return;
    }
    if (d < 0) return;
    stride = view.stride[d] * static_cast<Index>(sizeof(T));
    Index distance = stride / static_cast<Index>(sizeof(T));
    for (; d >= 0; --d) {
      if (view.extent[d] == 1) continue;
      if (view.stride[d] != distance) throw std::logic_error("a message's rows must lie at one distance");
      rows *= view.extent[d];
      distance *= view.extent[d];
    }
  }

  Index bytes() const { return rows * row_bytes; }
  /// Returns whether there are no gaps between the rows.
  bool is_dense() const { return rows <= 1 || stride == row_bytes; }
};

/// Copies the bytes of `from`, in order, to those of `to`. There are as many; the rows may differ.
inline void copy_strided(const StridedBytes& from, const StridedBytes& to) {
  for (Index done = 0, run = 0; done < from.bytes(); done += run) {
    const Index from_column = done % from.row_bytes, to_column = done % to.row_bytes;
    run = std::min(from.row_bytes - from_column, to.row_bytes - to_column);
    std::memcpy(to.data + done / to.row_bytes * to.stride + to_column,
                from.data + done / from.row_bytes * from.stride + from_column, static_cast<std::size_t>(run));
  }
}

/// Returns both with rows of the same length, for copies row by row: a dense piece is cut as the other one
/// is. Throws std::logic_error if neither is dense and their rows differ.
[[nodiscard]] inline std::pair<StridedBytes, StridedBytes> in_equal_rows(StridedBytes a, StridedBytes b) {
  const auto cut = [](StridedBytes& piece, Index row_bytes) {
    if (piece.rows != 1 || row_bytes >= piece.row_bytes) return;
    piece.rows = piece.row_bytes / row_bytes;
    piece.row_bytes = row_bytes;
    piece.stride = row_bytes;
  };
  cut(a, b.row_bytes);
  cut(b, a.row_bytes);
  if (a.rows != b.rows || a.row_bytes != b.row_bytes)
    throw std::logic_error("a message's rows differ between sender and receiver, and neither is dense");
  return {a, b};
}

/// A piece to or from a member of a communicator.
struct Addressed {
  int peer;
  StridedBytes piece;
};

}  // namespace weft::inline v0_1
