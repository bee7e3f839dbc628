#include "weft/plan/hardware.hpp"

#include <doctest/doctest.h>

#include "../io/temporary_folder.hpp"
#include "weft/plan/hardware_file.hpp"

using weft::planner::exchange_seconds;
using weft::planner::Hardware;
using weft::planner::neighbour_seconds;
using weft::planner::Tier;

namespace {

/// Four GPUs a root, two roots that share a link, and hosts.
constexpr Hardware host{
    .gpu = {},
    .tiers = {Tier{4, 10e9, 1e-6}, Tier{8, 16e9, 2e-6, true}, Tier{weft::planner::all_gpus, 1e9, 3e-6}}};

/// The same with four GPUs that share the link to their root.
constexpr Hardware switched{.gpu = {},
                            .tiers = {Tier{4, 10e9, 1e-6, true}, Tier{8, 16e9, 2e-6, true},
                                      Tier{weft::planner::all_gpus, 1e9, 3e-6}}};

constexpr bool close(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

}  // namespace

static_assert(neighbour_seconds(host, 1e9, {1, 1}) == 0);
static_assert(close(neighbour_seconds(host, 1e9, {1, 4}), 0.1 + 1e-6));
static_assert(close(neighbour_seconds(host, 1e9, {1, 8}), 0.1 + 1e-6),
              "one pair crosses, faster than the rest");
static_assert(close(neighbour_seconds(host, 1e9, {4, 2}), 0.25 + 2e-6), "four pairs share the link");
static_assert(close(neighbour_seconds(host, 1e9, {8, 2}), 1 + 3e-6));
static_assert(close(neighbour_seconds(host, 1e9, {1, 16}), 1 + 3e-6));

static_assert(close(neighbour_seconds(switched, 1e9, {1, 2}), 0.2 + 1e-6), "two GPUs at work");
static_assert(close(neighbour_seconds(switched, 1e9, {1, 2, 4}), 0.4 + 1e-6), "two pairs");
static_assert(close(neighbour_seconds(switched, 1e9, {1, 8}), 0.4 + 1e-6));
static_assert(close(exchange_seconds(switched, 1e9, {1, 4}), 0.4 + 1e-6));

static_assert(exchange_seconds(host, 1e9, {1, 1}) == 0);
static_assert(close(exchange_seconds(host, 1e9, {1, 4}), 0.1 + 1e-6));
static_assert(close(exchange_seconds(host, 7e9, {1, 8}), 4.0 / 4 + 2e-6),
              "four of seven parts cross, of four GPUs");
static_assert(close(exchange_seconds(host, 1e9, {4, 2}), 0.25 + 2e-6));
static_assert(close(exchange_seconds(host, 15e9, {1, 16}), 8 + 3e-6));

TEST_CASE(
    "Every machine is found by its name and written and read without loss of more than the sixth digit") {
  const TemporaryFolder folder;
  for (const weft::planner::Machine& machine : weft::planner::machines) {
    const Hardware& known = weft::planner::hardware_of(std::string(machine.name));
    const auto file = folder.write("hardware.json", std::string_view(weft::planner::hardware_json(known)));
    const Hardware read = weft::planner::hardware_of(file);
    CHECK(weft::planner::hardware_json(read) == weft::planner::hardware_json(known));
    CHECK(read.gpu.multiprocessors == known.gpu.multiprocessors);
    CHECK(read.gpu.softmax_share == known.gpu.softmax_share);
    CHECK(read.gpu.split_key_cost == known.gpu.split_key_cost);
    CHECK(read.gpu.stored_early == known.gpu.stored_early);
    CHECK(read.tiers.back().gpus == weft::planner::all_gpus);
    CHECK(known.gpu.attention_rate <= known.gpu.matrix_rate);
  }
}

TEST_CASE("Hardware that makes no sense is rejected") {
  CHECK_THROWS_WITH_AS(weft::planner::hardware_of("b100"),
                       doctest::Contains("there are a100-nvlink, l40-pcie"), weft::InvalidArgument);
  std::string text = weft::planner::hardware_json(weft::planner::machine_named("t4-pcie"));
  text.replace(text.find("\"multiprocessors\": 40"), 21, "\"multiprocessors\": 0");
  CHECK_THROWS_WITH_AS(weft::planner::hardware_in(weft::Config(text, "t4.json")),
                       "t4.json: multiprocessors is 0 and must be above 0", weft::InvalidArgument);
  CHECK_THROWS_WITH_AS(weft::planner::hardware_in(weft::Config("{}", "no.json")),
                       doctest::Contains("is missing"), weft::InvalidArgument);
}
