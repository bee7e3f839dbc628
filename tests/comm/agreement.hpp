// The comparing of what ranks were asked for, whatever the world.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "weft/comm/agreement.hpp"

/// On every rank: any that differs is named to all, and those that agree go on. Returns the median of the
/// seconds that comparing takes.
template <class Backend, class World>
double check_agreement(World& world) {
  auto queue = Backend::queue(world);
  weft::Agreement<Backend, World> agreement(queue, world);
  const auto asked = [](int number) {
    return [number] {
      weft::Asked out("thing");
      out.add("colour", "red");
      out.add("number", number);
      out.add("text", std::string(3000, 'x'));
      return out;
    };
  };
  for (int culprit = 0; culprit < world.size() && world.size() > 1; ++culprit) {
    CAPTURE(culprit);
    const std::string told =
        culprit == 0 ? "rank 1 was asked for number 5 and rank 0 for number 9"
                     : weft::sentence("rank ", culprit, " was asked for number 9 and rank 0 for number 5");
    CHECK_THROWS_WITH_AS(agreement.check(asked(world.rank() == culprit ? 9 : 5)),
                         (told + "; all ranks must be given the same thing").c_str(), weft::InvalidArgument);
    CHECK_NOTHROW(agreement.check(asked(culprit)));
  }
  std::vector<double> seconds;
  for (int i = 0; i < 21; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    agreement.check(asked(1));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  return seconds[10];
}
