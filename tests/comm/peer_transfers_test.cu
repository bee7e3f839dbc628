// The transfers that `weft bench` times, between ranks on CUDA devices.
#include <doctest/doctest.h>

#include <vector>

#include "../../examples/weft/bench/link_times.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

using command::TransferKind;
using weft::Axis;

namespace {

using Backend = weft::Cuda<__nv_bfloat16, 88>;

/// Returns what rank 0 of the mesh measures.
std::vector<command::TransferReport> measured(const weft::Mesh& mesh) {
  std::vector<command::TransferReport> out;
  weft::peer::launch(mesh.ranks(), [&out, &mesh](weft::peer::World& world) {
    const auto own = command::measured_transfers<Backend>(mesh, world);
    if (world.rank() == 0) out = own;
  });
  return out;
}

}  // namespace

TEST_CASE("peer transfers: every kind is timed, and none outruns a GPU's memory") {
  constexpr double memory_rate = 8e12;  // bytes a second, above any GPU's; ranks may share one
  for (const weft::Mesh& mesh : {weft::Mesh{.cfg = 2, .ulysses = 2}, weft::Mesh{.ring = 2},
                                 weft::Mesh{.pipe = 3}, weft::Mesh{.ulysses = 3}}) {
    const auto transfers = measured(mesh);
    std::size_t expected = 0;
    for (const Axis axis : weft::all_axes)
      if (mesh.degree(axis) > 1)
        for (const TransferKind kind : command::kinds_along(axis, mesh))
          expected += kind == TransferKind::barrier ? 1 : 3;
    CHECK(transfers.size() == expected);
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      CHECK(transfers[i].seconds > transfers[i].bytes / memory_rate);
      CHECK(transfers[i].seconds < 0.1);
    }
  }
}

TEST_CASE("peer transfers: a link has rates of copies and of stores, and the time of a barrier") {
  weft::peer::launch(2, [](weft::peer::World& world) {
    const command::LinkTimes times = command::measured_links<Backend>(world, 1, 25'000'000);
    if (world.rank() != 0) return;
    CHECK(times.messages.rate > 1e9);
    CHECK(times.messages.latency > 0);
    CHECK(times.stores.rate > 1e9);
    CHECK(times.stores.latency > 0);
    CHECK(times.stores.latency < 1e-3);
  });
}
