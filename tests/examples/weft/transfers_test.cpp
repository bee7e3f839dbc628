#include "../../../examples/weft/bench/transfers.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <string>
#include <tuple>

#include "../../../examples/weft/bench/link_times.hpp"
#include "weft/weft.hpp"

using command::TransferKind;
using weft::Axis;
using weft::Host;
using weft::Index;
using weft::Mesh;
using weft::threads::World;

namespace {

using Timer = command::Transfers<Host, World::Communicator>;

/// Returns the messages and bytes that each rank of a group sends in one transfer.
std::vector<weft::Traffic> sent(TransferKind kind, int ranks, Index bytes, bool is_ring) {
  std::vector<weft::Traffic> out(static_cast<std::size_t>(ranks));
  weft::launch(ranks, [&](World& world) {
    Host::Queue queue = Host::queue(world);
    std::vector<int> all;
    for (int rank = 0; rank < ranks; ++rank) all.push_back(rank);
    Timer timer(queue, world.split("group", all), bytes, is_ring);
    CHECK(timer.seconds(kind, bytes) > 0);
    constexpr Index calls = 20 * 4;
    const weft::Traffic traffic =
        world.traffic().contains("group") ? world.traffic().at("group") : weft::Traffic{};
    out[static_cast<std::size_t>(world.rank())] = {traffic.calls / calls, traffic.bytes / calls};
  });
  return out;
}

constexpr Index row = 8 * 88 * sizeof(float), bytes = 12 * row;

}  // namespace

TEST_CASE("Every rank sends the bytes asked for, to as many ranks as the transfer has") {
  for (const int ranks : {2, 3, 4}) {
    CAPTURE(ranks);
    for (const auto& [kind, calls] :
         {std::pair{TransferKind::send, 1}, std::pair{TransferKind::strided_send, 1},
          std::pair{TransferKind::all_to_all, ranks - 1}, std::pair{TransferKind::all_gather, ranks - 1}})
      for (const weft::Traffic& traffic : sent(kind, ranks, bytes, true)) {
        CHECK(traffic.calls == calls);
        CHECK(traffic.bytes == bytes);
      }
  }
}

TEST_CASE("Stages send to the next one, and the last one to none") {
  const std::vector<weft::Traffic> traffic = sent(TransferKind::send, 3, bytes, false);
  CHECK(traffic[0].bytes == bytes);
  CHECK(traffic[1].bytes == bytes);
  CHECK(traffic[2].bytes == 0);
}

TEST_CASE("Transfers are those of the mesh's policies, and stores where ranks reach each other's memory") {
  CHECK(command::kinds_along(Axis::data, {}).empty());
  CHECK(command::kinds_along(Axis::cfg, {}) == std::vector{TransferKind::all_gather});
  CHECK(command::kinds_along(Axis::ring, Mesh{.ring = 2}).front() == TransferKind::send);
  CHECK(command::kinds_along(Axis::ring, Mesh{.pipe = 2, .ring = 2}).front() == TransferKind::all_to_all);
  weft::launch(1, [](World& world) {
    Host::Queue queue = Host::queue(world);
    const Timer timer(queue, world.split("group", {0}), bytes, true);
    CHECK(timer.has(TransferKind::stores));
    CHECK(timer.has(TransferKind::all_to_all));
  });
  Host::Queue queue;
  const command::Transfers<Host, weft::Solo<Host::Queue>> alone(queue, weft::Solo<Host::Queue>(), bytes,
                                                                true);
  CHECK(!alone.has(TransferKind::stores));
  CHECK(alone.has(TransferKind::all_to_all));
}

TEST_CASE("A link's figures are measured between pairs, and a rank without a partner sends nothing") {
  std::mutex mutex;
  weft::launch(3, [&mutex](World& world) {
    const command::LinkTimes times = command::measured_links<Host>(world, 1, 100 * row);
    const std::lock_guard lock(mutex);
    if (world.rank() < 2) {
      CHECK(times.messages.latency > 0);
      CHECK(times.stores.latency > 0);
      CHECK(times.stores.rate > 0);
    }
    CHECK(world.traffic().contains("pair") == (world.rank() < 2));
  });
}
