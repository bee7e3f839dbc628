// The tiles that matrix products on sm_90a choose, on the 132 multiprocessors of an H100 or H200.
#include "weft/product/sm90/choice.hpp"

#include <doctest/doctest.h>

using namespace weft::kernels::sm90;

namespace {

int columns(int rows, int inputs, int outputs) {
  return choose_columns({ceil_div(rows, product_rows), outputs, ceil_div(inputs, 64)}, 132);
}

}  // namespace

TEST_CASE("product's tiles: those that were the fastest for the layers of models") {
  CHECK(columns(8192, 2432, 9728) == 256);  // SD3.5-large
  CHECK(columns(8192, 9728, 2432) == 256);
  CHECK(columns(4096, 12288, 3072) == 256);  // FLUX.1
  CHECK(columns(8192, 1152, 1152) == 192);   // PixArt
  CHECK(columns(8192, 4608, 1152) == 192);
  CHECK(columns(2048, 6144, 1408) == 192);  // a fourth of HunyuanDiT
  CHECK(columns(666, 2432, 2432) == 128);   // text
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
