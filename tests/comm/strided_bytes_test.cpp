#include "weft/comm/strided_bytes.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using weft::Index;
using weft::StridedBytes;
using weft::View;

namespace {

std::vector<int> counted(int size) {
  std::vector<int> out(static_cast<std::size_t>(size));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

TEST_CASE("StridedBytes: a dense view is one row") {
  auto numbers = counted(24);
  const StridedBytes piece(View<int, 3>(numbers.data(), {2, 3, 4}));
  CHECK(piece.data == reinterpret_cast<std::byte*>(numbers.data()));
  CHECK(piece.rows == 1);
  CHECK(piece.row_bytes == 96);
  CHECK(piece.bytes() == 96);
}

TEST_CASE("StridedBytes: the heads of every row are rows with one stride") {
  auto numbers = counted(120);
  const View<int, 4> heads(numbers.data(), {2, 3, 5, 4});
  const StridedBytes piece(heads.slice<2>({1, 3}));
  CHECK(piece.rows == 6);
  CHECK(piece.row_bytes == 2 * 4 * 4);
  CHECK(piece.stride == 5 * 4 * 4);
  CHECK(piece.data == reinterpret_cast<std::byte*>(numbers.data() + 4));
}

TEST_CASE("StridedBytes: extents of 1 may have any stride") {
  auto numbers = counted(120);
  const StridedBytes piece(View<int, 3>(numbers.data(), {3, 1, 4}, {10, 77, 1}));
  CHECK(piece.rows == 3);
  CHECK(piece.row_bytes == 16);
  CHECK(piece.stride == 40);
  CHECK(StridedBytes(View<int, 3>(numbers.data(), {1, 1, 4}, {3, 5, 1})).rows == 1);
}

TEST_CASE("StridedBytes: an empty view has no bytes") {
  CHECK(StridedBytes().bytes() == 0);
  CHECK(StridedBytes(View<int, 2>()).bytes() == 0);
  auto numbers = counted(12);
  CHECK(StridedBytes(View<int, 2>(numbers.data(), {3, 4}).slice<1>({2, 2})).bytes() == 0);
  CHECK(StridedBytes(View<int, 2>(numbers.data(), {3, 4}).slice<0>({1, 1})).bytes() == 0);
}

TEST_CASE("StridedBytes: rows with two strides are an error") {
  auto numbers = counted(120);
  const View<int, 3> x(numbers.data(), {4, 5, 6});
  CHECK_THROWS_WITH_AS(StridedBytes(x.slice<1>({0, 2}).slice<2>({0, 3})),
                       "a message's rows must lie at one distance", std::logic_error);
}

TEST_CASE("copy_strided: bytes keep their order between any two layouts") {
  const auto from = counted(60);
  const View<const int, 2> all(from.data(), {6, 10});
  for (const Index run : {1, 2, 3, 4, 6, 12}) {
    std::vector<int> to(static_cast<std::size_t>((run + 3) * (12 / run)), -1);
    copy_strided(all.slice<0>({1, 5}).slice<1>({2, 5}),
                 View<int, 2>(to.data(), {12 / run, run}, {run + 3, 1}));
    for (Index i = 0; i < static_cast<Index>(to.size()); ++i) {
      const Index row = i / (run + 3), column = i % (run + 3), at = row * run + column;
      const int expected = column < run ? static_cast<int>((1 + at / 3) * 10 + 2 + at % 3) : -1;
      CHECK(to[static_cast<std::size_t>(i)] == expected);
    }
  }
  copy_strided(StridedBytes(), StridedBytes());
}
