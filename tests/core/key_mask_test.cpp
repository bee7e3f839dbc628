#include "weft/core/key_mask.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using weft::KeyMask;
using weft::Range;

TEST_CASE("KeyMask: hides keys by image, in any part of them") {
  const std::int32_t begins[] = {3, 0, 8};
  const KeyMask mask{{begins, {3}}, 8};
  CHECK(mask.hidden(0, 12) == Range{3, 8});
  CHECK(mask.hidden(1, 12) == Range{0, 8});
  CHECK(mask.hidden(2, 12).empty());
  CHECK(mask.hidden(0, 5) == Range{3, 5});
  CHECK(mask.keys({2, 6}).hidden(0, 4) == Range{1, 4});
  CHECK(mask.keys({6, 12}).hidden(0, 6) == Range{0, 2});
  CHECK(mask.keys({6, 12}).hidden(2, 6).empty());
  CHECK(mask.keys({8, 12}).empty());
  CHECK(KeyMask{}.keys({2, 6}).hidden(0, 4).empty());
}
