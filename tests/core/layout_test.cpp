#include "weft/core/layout.hpp"
#include "weft/core/image.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <random>
#include <vector>

#include "../from_tokens.hpp"
#include "weft/core/image.hpp"
#include "weft/policy/tokens.hpp"

using weft::Index;
using weft::Layout;
using weft::Range;
using weft::Rows;

namespace {

std::vector<Layout> random_layouts() {
  std::mt19937 random(1);
  const auto up_to = [&](int most) { return std::uniform_int_distribution(1, most)(random); };
  std::vector<Layout> out{{1, 1, 1, 1}, {3, 5, 2, 2}};
  for (int i = 0; i < 60; ++i) out.push_back({up_to(200), up_to(9), up_to(5), up_to(5)});
  return out;
}

}  // namespace

TEST_CASE("Layout: every token is in exactly one slice") {
  for (const Layout& layout : random_layouts()) {
    std::vector<int> holders(static_cast<std::size_t>(layout.tokens));
    for (int r = 0; r < layout.ring; ++r)
      for (int u = 0; u < layout.ulysses; ++u) {
        const Rows rows = layout.of_rank(r, u);
        CHECK(rows.patches() == layout.patches);
        for (Index m = 0; m < rows.patches(); ++m)
          for (Index t = rows.tokens(m).begin; t < rows.tokens(m).end; ++t)
            ++holders[static_cast<std::size_t>(t)];
      }
    CHECK(holders == std::vector<int>(holders.size(), 1));
  }
}

TEST_CASE("Layout: slices lie inside their ring slice, and those inside their patch, in order") {
  for (const Layout& layout : random_layouts())
    for (Index m = 0; m < layout.patches; ++m) {
      Index end = layout.patch(m).begin;
      for (int r = 0; r < layout.ring; ++r) {
        CHECK(layout.ring_slice(m, r).begin == end);
        for (int u = 0; u < layout.ulysses; ++u) {
          CHECK(layout.slice(m, r, u).begin == end);
          end = layout.slice(m, r, u).end;
        }
        CHECK(layout.ring_slice(m, r).end == end);
      }
      CHECK(layout.patch(m).end == end);
    }
}

TEST_CASE("Layout: ranks hold almost equal numbers of tokens") {
  constexpr Layout layout{1024, 4, 2, 3};
  static_assert(layout.patch(1) == Range{256, 512});
  static_assert(layout.ring_slice(1, 1) == Range{384, 512});
  static_assert(layout.slice(1, 1, 0) == Range{384, 426});
  static_assert(layout.slice(1, 1, 2) == Range{469, 512});
}

TEST_CASE("Rows: number the tokens patch by patch") {
  for (const Layout& layout : random_layouts())
    for (const Rows& rows :
         {layout.of_all(), layout.of_ring(layout.ring - 1), layout.of_rank(0, layout.ulysses - 1)}) {
      Index row = 0;
      for (Index m = 0; m < rows.patches(); ++m) {
        CHECK(rows.rows(m) == Range{row, row + rows.tokens(m).size()});
        CHECK(rows.rows_of_tokens(m, rows.tokens(m)) == rows.rows(m));
        row += rows.tokens(m).size();
      }
      CHECK(rows.size() == row);
      CHECK(rows.rows(Range{0, rows.patches()}) == Range{0, row});
    }
  CHECK(Rows().size() == 0);
  CHECK(Rows({{4, 6}, {10, 13}}).rows_of_tokens(1, {11, 12}) == Range{3, 4});
}

TEST_CASE("Rows: the whole image is all tokens in order") {
  for (const Layout& layout : random_layouts()) {
    CHECK(layout.of_all().size() == layout.tokens);
    for (Index m = 0; m < layout.patches; ++m) CHECK(layout.of_all().rows(m) == layout.patch(m));
  }
}

TEST_CASE("tokens: images go to the ranks that hold them and come back whole") {
  const weft::ImageShape shape{3, 6, 10, 2};
  weft::Tensor latents({3, 3, 6, 10});
  for (std::size_t i = 0; i < latents.data.size(); ++i) latents.data[i] = static_cast<float>(i);
  const Layout layout{shape.tokens(), 2, 2, 2};
  weft::Tensor back({3, 3, 6, 10});
  for (const Range images : {Range{0, 2}, Range{2, 3}})
    for (int rank = 0; rank < 4; ++rank) {
      const Rows rows = layout.of_rank(rank / 2, rank % 2);
      const weft::Tensor tokens = to_tokens(latents, shape, images, rows);
      CHECK(tokens.shape == weft::Shape{rows.size(), images.size(), 12});
      for (Index p = 0; p < images.size(); ++p)
        CHECK(static_cast<Index>(tokens.view<3>()[0][p][5]) ==
              shape.element(images.begin + p, rows.tokens(0).begin, 5));
      from_tokens(tokens, shape, images, rows, back);
    }
  CHECK(back.data == latents.data);
}
