// Checks of Agreement for any world.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "weft/comm/agreement.hpp"

/// Checks that a rank whose input differs is named on all ranks, and that they can go on afterwards. Returns
/// the median of the seconds of a comparison.
template <class Backend, class World>
double check_agreement(World& world) {
  auto queue = Backend::queue(world);
  weft::Agreement<Backend, World> agreement(queue, world);
  const auto summarize = [](int number) {
    return [number] {
      weft::InputSummary out("thing");
      out.add("colour", "red");
      out.add("number", number);
      out.add("text", std::string(3000, 'x'));
      return out;
    };
  };
  for (int culprit = 0; culprit < world.size() && world.size() > 1; ++culprit) {
    CAPTURE(culprit);
    const std::string expected =
        culprit == 0 ? "rank 1 was asked for number 5 and rank 0 for number 9"
                     : weft::sentence("rank ", culprit, " was asked for number 9 and rank 0 for number 5");
    CHECK_THROWS_WITH_AS(agreement.check(summarize(world.rank() == culprit ? 9 : 5)),
                         (expected + "; all ranks must be given the same thing").c_str(),
                         weft::InvalidArgument);
    CHECK_NOTHROW(agreement.check(summarize(culprit)));
  }
  std::vector<double> seconds;
  for (int i = 0; i < 21; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    agreement.check(summarize(1));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  return seconds[10];
}
