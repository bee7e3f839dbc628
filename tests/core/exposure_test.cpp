#include "weft/core/exposure.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using weft::Exposure;
using weft::exposures;
using weft::Lane;
using weft::Trace;

namespace {

/// Makes a slice from one second to another.
Lane::Slice slice(const char* category, const char* name, int begin, int end, weft::Index bytes = 0,
                  int awaited_by = -1) {
  const auto time = [](int seconds) { return Lane::Clock::time_point(std::chrono::seconds(seconds)); };
  return {name, category, time(begin), time(end), bytes, 0, awaited_by};
}

}  // namespace

TEST_CASE("exposures: are empty without transfers") {
  Trace trace(2);
  trace.lane(0).add(slice("model", "block 0", 0, 10));
  CHECK(exposures(trace).empty());
  CHECK(exposures(Trace(0)).empty());
}

TEST_CASE("exposures: a transfer is hidden while its rank computes, and exposed otherwise") {
  Trace trace(1);
  trace.lane(0).add(slice("model", "block 0", 0, 10));
  trace.lane(0).add(slice("model", "block 1", 20, 30));
  trace.lane(0).add(slice("transfer", "ring 1", 2, 8, 5));    // hidden
  trace.lane(0).add(slice("transfer", "ring 1", 8, 24, 6));   // between the two for 10 s
  trace.lane(0).add(slice("transfer", "pipe 1", 12, 18, 7));  // exposed
  trace.lane(0).add(slice("transfer", "cfg", 26, 46, 8));     // longer than all
  trace.lane(0).add(slice("transfer", "nothing 1", 0, 100));  // no bytes
  const std::vector<Exposure> found = exposures(trace);
  REQUIRE(found.size() == 3);
  CHECK(found[0].axis == "cfg");
  CHECK(found[0].fraction() == doctest::Approx(16.0 / 20));
  CHECK(found[1].axis == "pipe");
  CHECK(found[1].fraction() == 1);
  CHECK(found[2].axis == "ring");
  CHECK(found[2].transfers == 2);
  CHECK(found[2].bytes == 11);
  CHECK(found[2].seconds == 22);
  CHECK(found[2].exposed == doctest::Approx(10));
}

TEST_CASE("exposures: a rank does not compute while it waits, though a block is open") {
  Trace trace(1);
  trace.lane(0).add(slice("wait", "ulysses", 4, 6));
  trace.lane(0).add(slice("operator", "linear", 0, 4));
  trace.lane(0).add(slice("operator", "linear", 6, 10));
  trace.lane(0).add(slice("model", "block 0", 0, 10));
  trace.lane(0).add(slice("transfer", "ulysses", 2, 7, 1));
  CHECK(exposures(trace).at(0).exposed == doctest::Approx(2));
}

TEST_CASE("exposures: a rank that moves its messages itself hides none of them") {
  Trace trace(1);
  trace.lane(0).add(slice("send", "ring 1", 3, 5, 1));
  trace.lane(0).add(slice("receive", "ring 1", 5, 6, 1));
  trace.lane(0).add(slice("model", "block 0", 0, 10));
  CHECK(exposures(trace).at(0).fraction() == 1);
}

TEST_CASE("exposures: the rank that waits for a transfer is the one that hides it") {
  Trace trace(2);
  trace.lane(0).add(slice("model", "block 0", 0, 10));
  trace.lane(1).add(slice("model", "block 0", 5, 10));
  trace.lane(0).add(slice("transfer", "pipe 1", 2, 6, 1, 1));
  CHECK(exposures(trace).at(0).exposed == doctest::Approx(3));
}

TEST_CASE("exposures: to_string") {
  CHECK(to_string(Exposure{"ring", 240, 12'600'000, 0.0052, 0.0013}) ==
        "ring: 240 transfers of 12.6 MB in all took 5.20 ms, of which 25.0 % were exposed");
}
