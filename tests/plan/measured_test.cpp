// Plans against steps that several GPUs took.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "hunyuan.hpp"

using weft::Mesh;

namespace {

struct Measured {
  int px;
  Mesh mesh;
  double ms;  // a step
};

constexpr Mesh one, cfg2{.cfg = 2}, ulysses2{.ulysses = 2}, ring2{.ring = 2}, pipe2{.pipe = 2, .patches = 2},
    pipe4{.pipe = 4, .patches = 4}, cfg2_pipe2{.cfg = 2, .pipe = 2, .patches = 2},
    cfg2_ring2{.cfg = 2, .ring = 2}, ring4{.ring = 4};

/// `weft bench` in one process on two H200s of one host, bf16, 2026-11-27.
constexpr Measured on_two[] = {{512, one, 11.30},     {1024, one, 52.3},       {2048, one, 336.5},
                               {512, cfg2, 6.90},     {1024, cfg2, 26.81},     {2048, cfg2, 176.4},
                               {512, ulysses2, 7.68}, {1024, ulysses2, 28.12}, {2048, ulysses2, 182.1},
                               {512, ring2, 8.33},    {1024, ring2, 28.09},    {2048, ring2, 183.3},
                               {512, pipe2, 7.18},    {1024, pipe2, 27.58},    {2048, pipe2, 179.7}};

/// Steps on four H200s of another host, 2026-11-26, where one took 11.23, 50.5 and 330.5 ms. Those of Ulysses
/// are left out: attention stored its results in a kernel of its own then.
constexpr Measured on_four[] = {
    {512, cfg2_pipe2, 5.42},   {1024, pipe4, 14.48},     {1024, cfg2_pipe2, 14.75},
    {1024, cfg2_ring2, 14.92}, {1024, ring4, 19.25},     {2048, pipe4, 92.5},
    {2048, cfg2_pipe2, 92.8},  {2048, cfg2_ring2, 93.9}, {2048, ring4, 98.1}};

/// Checks that every step is met within the share `error`, and prints by how much it is missed.
template <std::size_t Count>
void check(const Measured (&all)[Count], double error) {
  std::printf("\n| px | mesh | measured | model | |\n|---|---|---|---|---|\n");
  for (const auto& [px, mesh, ms] : all) {
    const std::string name = name_of(mesh);
    const double model = 1e3 * predict(cost_of(mesh, px, {}, "h200-nvlink")).step;
    std::printf("| %d | %s | %.4g | %.4g | %+.1f %% |\n", px, name.c_str(), ms, model,
                100 * (model / ms - 1));
    CAPTURE(px);
    CAPTURE(name);
    CHECK(std::abs(model / ms - 1) < error);
  }
}

}  // namespace

TEST_CASE("Steps of one and of two H200s are met within 5 %, as measured") { check(on_two, 0.05); }

TEST_CASE("Steps of four H200s are met within 9 %, as measured, and from 1024 px on within 5 %") {
  check(on_four, 0.09);
  for (const auto& [px, mesh, ms] : on_four)
    if (px >= 1024) CHECK(std::abs(1e3 * predict(cost_of(mesh, px, {}, "h200-nvlink")).step / ms - 1) < 0.05);
}

TEST_CASE("Unknown rates of a machine cost nothing: an H200 with only an H100's figures") {
  weft::planner::CostModel cost = cost_of(ulysses2, 1024, {}, "h200-nvlink"), stored = cost;
  cost.hardware.tiers = weft::planner::links::nvlink4, cost.hardware.relaunch = 0;
  const weft::planner::BlockCost block = cost.block(0, {0, 4096});
  const double sent = 3 * cost.activations(2048) / 2;
  const weft::planner::Group group = weft::planner::group_of(ulysses2, weft::Axis::ulysses);
  CHECK(block.ulysses == doctest::Approx(exchange_seconds(cost.hardware, sent, group) +
                                         exchange_seconds(cost.hardware, sent / 3, group)));
  CHECK(stored.block(0, {0, 4096}).ulysses > 2 * weft::planner::links::nvlink4_stores.latency);
}

TEST_CASE("NCCL's own rates are used where messages are its") {
  weft::planner::CostModel cost = cost_of(cfg2, 1024, {}, "h200-nvlink");
  const double as_copies = predict(cost).step;
  for (weft::planner::Tier& tier : cost.hardware.tiers) tier.nccl = {1e9, 1e-3};
  cost.engine.carrier = weft::planner::Carrier::nccl;
  CHECK(predict(cost).step > as_copies + 0.9e-3);
  cost.engine.carrier = weft::planner::Carrier::copies;
  CHECK(predict(cost).step == doctest::Approx(as_copies));
}
