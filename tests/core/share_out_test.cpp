#include "weft/core/share_out.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <vector>

using weft::Index;

TEST_CASE("share_out: every number is given out once") {
  for (const Index count : {0, 1, 3, 1000}) {
    std::vector<std::atomic<int>> taken(static_cast<std::size_t>(count));
    weft::share_out(count, 4, [&](const auto& next) {
      while (const auto i = next()) ++taken[static_cast<std::size_t>(*i)];
    });
    for (const auto& times : taken) CHECK(times == 1);
  }
}

TEST_CASE("share_out: the first error stops all threads and is thrown") {
  std::atomic<Index> done = 0;
  const auto work = [&](const auto& next) {
    while (const auto i = next()) {
      if (*i == 5) throw std::runtime_error("five");
      ++done;
    }
  };
  CHECK_THROWS_WITH_AS(weft::share_out(Index{1} << 40, 4, work), "five", std::runtime_error);
  CHECK(done >= 5);
}
