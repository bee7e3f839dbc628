// The parts that a slab hands out.
#include "weft/backend/cuda/slab.hpp"

#include <doctest/doctest.h>

#include <random>
#include <utility>
#include <vector>

using weft::cuda::Slab;

TEST_CASE("Slab: parts do not overlap, and what is given back is whole again") {
  std::mt19937 random(7);
  const auto up_to = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(1, most)(random);
  };
  Slab slab(100000);
  std::vector<std::pair<std::size_t, std::size_t>> parts;  // offsets and bytes
  std::size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    if (parts.size() > 20 || (!parts.empty() && up_to(3) == 1)) {
      std::swap(parts[up_to(parts.size()) - 1], parts.back());
      slab.give_back(parts.back().first, parts.back().second);
      parts.pop_back();
      continue;
    }
    const std::size_t bytes = up_to(12000);
    const auto place = slab.take(bytes);
    if (!place) {
      ++refused;
      continue;
    }
    CHECK(*place % 256 == 0);
    CHECK(*place + bytes <= slab.size());
    for (const auto& [offset, length] : parts) CHECK((*place + bytes <= offset || offset + length <= *place));
    parts.emplace_back(*place, bytes);
  }
  CHECK(refused > 0);
  for (const auto& [offset, bytes] : parts) slab.give_back(offset, bytes);
  CHECK(slab.take(slab.size()) == 0);
}

TEST_CASE("Slab: an output that outlives its input leaves what was free in one piece") {
  Slab slab(4 * 256);
  const auto input = slab.take(256), output = slab.take(2 * 256);
  REQUIRE(input);
  REQUIRE(output);
  slab.give_back(*input, 256);
  CHECK(slab.take(2 * 256));
  CHECK(!slab.take(1));
}
