// Predictions for weft: the tables of include/weft/plan/NOTES.md.
#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "hunyuan.hpp"

namespace {

struct Row {
  const char* name;
  const char* machine;
  weft::Index tokens;
};

/// "| 1.35 cfg2·pipe4 ": the fastest mesh of so many GPUs, and its seconds.
void print_best(const weft::planner::Plan& plan, bool with_speed_up) {
  const weft::planner::Prediction& best = plan.ranking.front();
  const std::string name = name_of(best.mesh);
  std::printf("| %.*f", best.total < 10 ? 2 : best.total < 100 ? 1 : 0, best.total);
  if (best.mesh.ranks() > 1) std::printf(" %s", name.substr(0, name.find(',')).c_str());
  if (with_speed_up) std::printf(", %.0f×", plan.single.total / best.total);
  std::printf(" ");
}

/// A line of the table, and whether every step is faster than the one before.
void print_row(const Row& row, const std::vector<int>& gpus, bool with_speed_up) {
  std::printf("| %s ", row.name);
  double before = 1e9;
  for (const int n : gpus) {
    const weft::planner::Plan plan = weft::planner::plan(
        hunyuan_work(), weft::planner::machine_named(row.machine), {.gpus = n, .tokens = row.tokens});
    print_best(plan, with_speed_up);
    CAPTURE(n);
    CHECK(plan.ranking.front().total < before);
    before = plan.ranking.front().total;
  }
  std::printf("|\n");
}

}  // namespace

TEST_CASE("What weft should reach on a host: seconds for 50 steps, and the mesh") {
  std::printf("\n| | 1 | 2 | 4 | 8 |\n|---|---|---|---|---|\n");
  for (const weft::planner::Machine& machine : weft::planner::machines) {
    if (machine.name == "host") continue;
    for (const int px : {1024, 2048}) {
      const std::string name = std::string(machine.name) + ", " + std::to_string(px) + " px";
      print_row({name.c_str(), machine.name.data(), tokens_of(px)}, {1, 2, 4, 8}, false);
    }
  }
}

TEST_CASE("What weft should reach over hosts of eight GPUs") {
  std::printf("\n| | 16 | 64 | 256 | 512 |\n|---|---|---|---|---|\n");
  for (const Row& row : {Row{"A100, 4096 px", "a100-nvlink", tokens_of(4096)},
                         Row{"H100, 4096 px", "h100-nvlink", tokens_of(4096)},
                         Row{"A100, 256 k tokens", "a100-nvlink", 256 * 1024},
                         Row{"H100, 256 k tokens", "h100-nvlink", 256 * 1024}})
    print_row(row, {16, 64, 256, 512}, true);
}
