#include "weft/core/shared_values.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

TEST_CASE("shared values: of a key's threads one makes the value, and all get it") {
  weft::SharedValues<int, std::string> values;
  std::atomic<int> made = 0;
  std::vector<std::string> got(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& mine : got)
      threads.emplace_back([&] {
        mine = values.find(1, [&] {
          ++made;
          std::this_thread::yield();
          return std::string("of one");
        });
      });
  }
  CHECK(made == 1);
  CHECK(got == std::vector<std::string>(8, "of one"));
  CHECK(values.find(2, [] { return std::string("of two"); }) == "of two");
}

TEST_CASE("shared values: what cannot be made is tried again") {
  weft::SharedValues<int, int> values;
  CHECK_THROWS_AS(values.find(1, []() -> int { throw std::runtime_error("no"); }), std::runtime_error);
  CHECK(values.find(1, [] { return 7; }) == 7);
}
