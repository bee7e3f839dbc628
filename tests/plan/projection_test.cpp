#include "weft/plan/projection.hpp"

#include <doctest/doctest.h>

#include "hunyuan.hpp"

namespace {

using weft::Mesh;
using weft::planner::Projection;

Projection project(const Mesh& mesh, std::vector<double> stages, std::string_view machine = "h200-nvlink") {
  return weft::planner::project(cost_of(mesh, 1024, {}, machine), stages);
}

}  // namespace

TEST_CASE("A projected step is the measured time of one rank, and its waits") {
  const Projection one = project({}, {50e-3});
  CHECK(one.step == doctest::Approx(50e-3));
  CHECK(one.transfers + one.idle == doctest::Approx(0));
  CHECK(one.all == doctest::Approx(50e-3));

  const Mesh mesh{.ulysses = 2};
  const Projection two = project(mesh, {26e-3});
  const weft::planner::CostModel cost = cost_of(mesh, 1024, {}, "h200-nvlink");
  const double waited = 40 * cost.block(0, {0, 4096}).ulysses + cost.hardware.relaunch;
  CHECK(waited > cost.hardware.relaunch);
  CHECK(two.step == doctest::Approx(26e-3 + waited));
  CHECK(two.transfers == doctest::Approx(waited));
  CHECK(two.all == doctest::Approx(52e-3));
  CHECK(project(mesh, {26e-3}, "h200-pcie4").step > two.step);
}

TEST_CASE("The slowest stage sets the pace of a projected pipeline, and full pipes are not idle") {
  const Mesh mesh{.cfg = 2, .pipe = 4, .patches = 8};
  const Projection even = project(mesh, {10e-3, 10e-3, 10e-3, 10e-3});
  CHECK(even.step == doctest::Approx(10e-3).epsilon(0.1));
  CHECK(even.all == doctest::Approx(80e-3));
  const Projection uneven = project(mesh, {10e-3, 10e-3, 20e-3, 10e-3});
  CHECK(uneven.kernels == 20e-3);
  CHECK(uneven.step > 0.9999 * 20e-3);
  CHECK(uneven.step == doctest::Approx(20e-3).epsilon(0.1));
}

TEST_CASE("Finds stages that compute as much, and the rank with the largest share") {
  CHECK(weft::planner::alike_stages(hunyuan_work(), 1) == std::vector{0});
  CHECK(weft::planner::alike_stages(hunyuan_work(), 4) == std::vector{0, 1, 1, 3});
  CHECK(weft::planner::alike_stages(hunyuan_work(), 8) == std::vector{0, 1, 2, 1, 2, 1, 2, 7});
  CHECK(weft::planner::busiest_rank({.cfg = 2, .pipe = 4}, 0) == 4);
  CHECK(weft::planner::busiest_rank({.pipe = 2, .ulysses = 3}, 1) == 5);
  CHECK(weft::planner::with_planned_patches(cost_of({.pipe = 4})).patches >= 4);
  CHECK(weft::planner::with_planned_patches(cost_of({.ulysses = 4})).patch_count() == 1);
}
