#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "command.hpp"

namespace {

const Arguments project{"bench", "--project", "--backend", "host", "--px", "96", "--steps", "2"};

void rejects_projection(const Arguments& more, const std::string& text) {
  const Outcome outcome = run(project + more);
  CAPTURE(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find(text) != std::string::npos);
  CHECK(outcome.out.empty());
}

}  // namespace

TEST_CASE("A projection is marked as such wherever it is printed") {
  const TemporaryFolder folder;
  const Outcome outcome = run(project + Arguments{"--json", folder / "projection.json"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(outcome.out.find("a projection: ") != std::string::npos);
  CHECK(outcome.out.find("projected, 96 px, links of host") != std::string::npos);
  CHECK(outcome.out.find("pipe8, 8 patches rank 1 of 8, of stages 1, 2, 3, 4, 5 and 6") != std::string::npos);

  const auto json = nlohmann::json::parse(folder.read("projection.json"));
  CHECK(json.at("projected") == true);
  REQUIRE(json.at("tables").size() == 1);
  const auto& table = json.at("tables").at(0);
  CHECK(table.at("projected") == true);
  const double one = table.at("one_rank_ms");
  std::map<int, int> rows;
  for (const auto& row : table.at("rows")) {
    ++rows[row.at("gpus")];
    const double step = row.at("projected_ms");
    CHECK(step >= row.at("kernel_ms").get<double>() * 0.999);
    CHECK(row.at("projected_speed_up").get<double>() == doctest::Approx(one / step));
  }
  CHECK(rows == std::map<int, int>{{2, 4}, {4, 5}, {8, 8}});
}

TEST_CASE("Slower links project longer transfers") {
  const TemporaryFolder folder;
  const auto transfers = [&folder](const char* machine) {
    REQUIRE(run(project + Arguments{"--hardware", machine, "--json", folder / "projection.json"}).code == 0);
    const auto json = nlohmann::json::parse(folder.read("projection.json"));
    for (const auto& row : json.at("tables").at(0).at("rows"))
      if (row.at("mesh") == "ulysses8") return row.at("transfer_ms").get<double>();
    return 0.0;
  };
  CHECK(transfers("h200-pcie4") > transfers("h100-nvlink"));  // neither has a measured barrier
}

TEST_CASE("A projection of one mesh, or of a size that cannot run, is rejected") {
  rejects_projection(
      {"--cfg", "2"},
      "--cfg applies to one mesh, and --project measures ranks of many; omit --project or omit --cfg");
  rejects_projection({"--ranks", "2"}, "omit --ranks");
  rejects_projection({"--compare"}, "omit --compare");
  rejects_projection({"--hardware", "abacus"}, "there is no hardware abacus");
  rejects_projection({"--px", "32"}, "32 px: the image is cut into 8 patches, and it has 4 tokens");
  CHECK(run({"bench", "--backend", "host"}).err.find("or add --project, which measures the host") !=
        std::string::npos);
}
