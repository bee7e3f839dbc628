#include "weft/core/image.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

using weft::ImageShape;
using weft::Index;

TEST_CASE("ImageShape: counts tokens and features") {
  constexpr ImageShape shape{4, 16, 24, 2};
  static_assert(shape.rows() == 8 && shape.columns() == 12 && shape.tokens() == 96);
  static_assert(shape.features() == 16 && shape.elements() == 4 * 16 * 24);
  static_assert(shape.with_channels(8) == ImageShape{8, 16, 24, 2});
}

TEST_CASE("ImageShape: every element is one feature of one token") {
  for (const ImageShape& shape :
       {ImageShape{4, 16, 24, 2}, ImageShape{3, 5, 7, 1}, ImageShape{2, 9, 6, 3}, ImageShape{1, 2, 2, 2}}) {
    constexpr Index images = 3;
    std::vector<int> hits(static_cast<std::size_t>(images * shape.elements()));
    for (Index p = 0; p < images; ++p)
      for (Index t = 0; t < shape.tokens(); ++t)
        for (Index f = 0; f < shape.features(); ++f)
          ++hits.at(static_cast<std::size_t>(shape.element(p, t, f)));
    CHECK(hits == std::vector<int>(hits.size(), 1));
  }
}

TEST_CASE("ImageShape: tokens run along rows, features by channel, then row, then column") {
  constexpr ImageShape shape{2, 4, 6, 2};
  static_assert(shape.element(0, 0, 0) == 0);
  static_assert(shape.element(0, 0, 1) == 1);
  static_assert(shape.element(0, 0, 2) == 6);
  static_assert(shape.element(0, 0, 4) == 24);
  static_assert(shape.element(0, 1, 0) == 2);
  static_assert(shape.element(0, 3, 0) == 12);
  static_assert(shape.element(1, 0, 0) == 48);
}
