#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

Arguments paint(const TemporaryFolder& folder, const Arguments& more) {
  return Arguments{"generate",    "--model", shapes,    "--prompt", caption, "--out", folder / "picture.png",
                   "--scheduler", "ddim",    "--steps", "2"} +
         more;
}

}  // namespace

TEST_CASE("plan ranks meshes, explains the first, and writes both and a chart") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"plan", "--gpus", "8", "--hardware", "a100-nvlink", "--px", "1024", "--json",
                               folder / "plan.json", "--svg", folder / "plan.svg"});
  CHECK(outcome.code == 0);
  for (const char* part :
       {"mesh", "speed-up", "memory", "most goes into", "cfg2·pipe4", "The next other way"})
    CHECK(outcome.out.find(part) != std::string::npos);
  const auto json = nlohmann::json::parse(folder.read("plan.json"));
  CHECK(json.at(0).at("ranking").at(0).at("mesh").at("pipe") == 4);
  CHECK(json.at(0).at("tokens") == 4096);
  CHECK(folder.read("plan.svg").starts_with("<svg"));
}

TEST_CASE("plan draws the mesh that is given") {
  const TemporaryFolder folder;
  CHECK(run({"plan", "--gpus", "8", "--hardware", "l40-pcie", "--px", "512", "--pipefusion", "3", "--svg",
             folder / "plan.svg"})
            .code == 0);
  CHECK(folder.read("plan.svg").find("pipe3, 3 patches") != std::string::npos);
}

TEST_CASE("plan refuses what it cannot know") {
  CHECK(run({"plan", "--gpus", "8"}).code == 2);
  CHECK(run({"plan", "--hardware", "abacus"}).err.find("there is no hardware abacus") != std::string::npos);
  CHECK(run({"plan", "--gpus", "0", "--hardware", "t4-pcie"}).code == 2);
}

TEST_CASE("Ranks without degrees are shared out by the planner") {
  const TemporaryFolder folder;
  const Outcome planned = run(paint(folder, {"--ranks", "4"}));
  CHECK(planned.code == 0);
  CHECK(planned.out.find("mesh: cfg2·") != std::string::npos);
  CHECK(planned.out.find("on 4 ranks") != std::string::npos);
  CHECK(run(paint(folder, {})).out.find("on 1 rank") != std::string::npos);
  CHECK(run(paint(folder, {"--ranks", "4", "--mesh", "exact"})).out.find("patches") == std::string::npos);
  CHECK(run(paint(folder, {"--mesh", "round"})).err.find("there are auto and exact") != std::string::npos);
}

TEST_CASE("Degrees that are given are kept") {
  const TemporaryFolder folder;
  CHECK(run(paint(folder, {"--ulysses", "2"})).out.find("mesh:") == std::string::npos);
  CHECK(run(paint(folder, {"--ulysses", "2", "--ranks", "4"})).code == 2);
}

TEST_CASE("Memory is planned and told, and what is allowed decides on the mesh") {
  const TemporaryFolder folder;
  const Outcome one = run(paint(folder, {}));
  CHECK(one.out.find("memory: 31.7 MB a rank (weights 26.2, keys and values 0.983, activations 4.51) of ") !=
        std::string::npos);
  const Outcome limited = run(paint(folder, {"--ulysses", "2", "--memory-limit", "1"}));
  CHECK(limited.out.find("for 2 ranks") != std::string::npos);
  CHECK(limited.out.find("of 1 GB allowed") != std::string::npos);
}
