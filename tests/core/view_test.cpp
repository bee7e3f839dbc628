#include "weft/core/view.hpp"

#include <doctest/doctest.h>

#include <array>
#include <concepts>
#include <numeric>
#include <vector>

using weft::Range;
using weft::View;

namespace {

struct Numbers {
  std::vector<int> data = std::vector<int>(120);

  Numbers() { std::iota(data.begin(), data.end(), 0); }

  View<int, 3> view() { return {data.data(), {4, 5, 6}}; }
};

}  // namespace

static_assert(std::convertible_to<View<int, 2>, View<const int, 2>>);
static_assert(!std::convertible_to<View<const int, 2>, View<int, 2>>);

TEST_CASE("View: dense and row-major unless strides are given") {
  Numbers numbers;
  const View<int, 3> x = numbers.view();
  CHECK(x.stride == std::array<weft::Index, 3>{30, 6, 1});
  CHECK(x.size() == 120);
  CHECK(x.dense());
  CHECK(x[3][4][5] == 119);
  const View<int, 2> wide(numbers.data.data(), {3, 2}, {10, 1});
  CHECK(!wide.dense());
  CHECK(wide[2][1] == 21);
  x[1][2][3] = -1;
  CHECK(numbers.data[45] == -1);
}

TEST_CASE("View: is empty without elements, and dense with a single row of any stride") {
  CHECK(View<int, 2>().empty());
  CHECK(View<int, 2>(nullptr, {3, 0}).empty());
  CHECK(View<int, 2>(nullptr, {1, 7}, {99, 1}).dense());
}

TEST_CASE("View: slices of every dimension") {
  Numbers numbers;
  const View<int, 3> x = numbers.view();
  CHECK(x.slice<0>({1, 3})[0][0][0] == 30);
  CHECK(x.slice<0>({1, 3}).dense());
  CHECK(x.slice<1>({2, 5})[1][0][0] == 42);
  CHECK(x.slice<2>({4, 6})[0][1][1] == 11);
  CHECK(x.slice<2>({4, 6}).extent == std::array<weft::Index, 3>{4, 5, 2});
  CHECK(!x.slice<2>({4, 6}).dense());
  CHECK(x.slice<1>({2, 2}).empty());
  CHECK(x.slice<0>({1, 3}).slice<1>({1, 2}).slice<2>({3, 6})[1][0][2] == 71);
}

TEST_CASE("View: unfold splits features into heads, and fold joins them") {
  Numbers numbers;
  const View<int, 3> features = numbers.view().slice<1>({1, 4});
  const View<int, 4> heads = features.unfold(2);
  CHECK(heads.extent == std::array<weft::Index, 4>{4, 3, 3, 2});
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j)
      for (int f = 0; f < 6; ++f) CHECK(&heads[i][j][f / 2][f % 2] == &features[i][j][f]);
  const View<int, 3> back = heads.fold();
  CHECK(back.data == features.data);
  CHECK(back.extent == features.extent);
  CHECK(back.stride == features.stride);
}

TEST_CASE("View: works at compile time") {
  static constexpr std::array<int, 6> numbers{0, 1, 2, 3, 4, 5};
  constexpr View<const int, 2> x(numbers.data(), {2, 3});
  static_assert(x[1][2] == 5);
  static_assert(x.slice<1>({1, 3})[1][0] == 4);
  static_assert(x.unfold(3)[1][0][1] == 4);
}
