#include "weft/comm/gather_trace.hpp"

#include <doctest/doctest.h>

#include <string>

#include "weft/comm/launch.hpp"

using weft::Lane;
using weft::Span;
using weft::Trace;

TEST_CASE("gather_trace: rank 0 gets the slices of all ranks, with their times if they share a clock") {
  for (const int ranks : {1, 2, 5})
    weft::launch(ranks, [ranks](weft::threads::World& world) {
      Trace own(ranks);
      { const Span span(&own.lane(world.rank()), "model", "block", world.rank(), 8); }
      { const Span span(&own.lane(world.rank()), "send", "a communicator with a long name"); }
      const Lane::Slice first = own.lane(world.rank()).slices()[0];
      std::vector<std::int64_t> begins(static_cast<std::size_t>(ranks));
      begins[static_cast<std::size_t>(world.rank())] = weft::detail::nanoseconds(first.begin);
      std::vector<weft::StridedBytes> pieces;
      for (std::int64_t& begin : begins) pieces.push_back(weft::View<std::int64_t, 1>(&begin, {1}));
      weft::host::Queue queue;
      auto event = world.all_gather(queue, pieces);
      world.wait(queue, event);

      gather_trace(world, own);
      if (world.rank() != 0) return;
      for (int rank = 0; rank < ranks; ++rank) {
        REQUIRE(own.lane(rank).slices().size() == 2);
        const Lane::Slice& slice = own.lane(rank).slices()[0];
        CHECK(slice.name == "block " + std::to_string(rank));
        CHECK(slice.category == "model");
        CHECK(slice.bytes == 8);
        CHECK(weft::detail::nanoseconds(slice.begin) == begins[static_cast<std::size_t>(rank)]);
        CHECK(own.lane(rank).slices()[1].name == "a communicator with a long name");
      }
    });
}

TEST_CASE("gather_trace: times of a clock that is ahead are corrected") {
  Lane lane, moved;
  { const Span span(&lane, "model", "block"); }
  weft::detail::SliceBytes::add(weft::detail::SliceBytes::of(lane), 5000, moved);
  REQUIRE(moved.slices().size() == 1);
  CHECK(lane.slices()[0].begin - moved.slices()[0].begin == std::chrono::nanoseconds(5000));
  CHECK(lane.slices()[0].end - moved.slices()[0].end == std::chrono::nanoseconds(5000));
}
