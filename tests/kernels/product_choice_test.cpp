// The tiles that matrix products on sm_90a choose, on the 132 multiprocessors of an H100 or H200.
#include "weft/product/sm90/choice.hpp"

#include <doctest/doctest.h>

using weft::kernels::ceil_div;
using namespace weft::kernels::sm90;

namespace {

ProductPlan plan(int rows, int inputs, int outputs) {
  return choose_product({ceil_div(rows, product_rows), outputs, ceil_div(inputs, 64)}, 132);
}

int columns(int rows, int inputs, int outputs) { return plan(rows, inputs, outputs).columns; }

}  // namespace

TEST_CASE("product's tiles: those that were the fastest for the layers of models") {
  CHECK(columns(8192, 2432, 9728) == 256);   // SD3.5-large
  CHECK(columns(4096, 12288, 3072) == 256);  // FLUX.1
  CHECK(columns(8192, 1152, 1152) == 192);   // PixArt
  CHECK(columns(8192, 4608, 1152) == 192);
  CHECK(columns(8192, 1408, 6144) == 256);  // HunyuanDiT
}

TEST_CASE("product's tiles: a few in the last round are computed in parts") {
  const ProductPlan single = plan(4608, 15360, 3072);  // FLUX.1's single blocks: 216 tiles by 66 clusters
  CHECK(single.columns == 256);
  CHECK(single.whole_tiles == 3 * 66);
  CHECK(single.last_tiles == 18);
  CHECK(single.parts == 3);
  CHECK(single.items() == 3 * 66 + 3 * 18);

  const ProductPlan full = plan(66 * 256, 3072, 256);  // 66 tiles of 256 columns
  CHECK(full.parts == 1);
  CHECK(full.items() == full.whole_tiles);

  const ProductPlan few = plan(256, 12288, 1024);  // 4 tiles of 256 columns
  CHECK(few.whole_tiles == 0);
  CHECK(few.parts == 4);
  CHECK(few.clusters == few.last_tiles * few.parts);
}

TEST_CASE("product's tiles: few outputs take the narrowest") {
  for (const int outputs : {8, 64, 128}) CHECK(columns(1 << 20, 1152, outputs) == 128);
  CHECK(columns(1 << 20, 1152, 192) == 192);
  CHECK(columns(1 << 20, 1152, 256) == 256);
}

TEST_CASE("product's tiles: rows lie side by side so that few tiles cover an image") {
  CHECK(rows_side_by_side(1, 8192) == 128);
  CHECK(rows_side_by_side(1024, 1024) == 128);
  CHECK(rows_side_by_side(128, 64) == 64);
  CHECK(rows_side_by_side(90, 160) == 32);
  CHECK(rows_side_by_side(96, 24) == 8);
  CHECK(rows_side_by_side(3, 5) == 32);
}
