#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "command.hpp"

namespace {

/// Returns the categories of every rank's slices, "block" for those of blocks, and the name of its row as
/// "row NAME".
std::map<int, std::set<std::string>> kinds_in(const std::string& text) {
  std::map<int, std::set<std::string>> kinds;
  const nlohmann::json trace = nlohmann::json::parse(text);
  for (const auto& event : trace.at("traceEvents")) {
    const std::string name = event.at("name"), phase = event.at("ph");
    std::set<std::string>& rank = kinds[event.at("tid")];
    if (phase == "M") {
      rank.insert("row " + event.at("args").at("name").get<std::string>());
      continue;
    }
    CHECK(phase == "X");
    CHECK(event.at("ts").get<double>() >= 0);
    CHECK(event.at("dur").get<double>() >= 0);
    rank.insert(name.starts_with("block ") ? "block" : event.at("cat").get<std::string>());
    if (name.starts_with("send ")) CHECK(event.at("args").at("bytes").get<int>() > 0);
  }
  return kinds;
}

}  // namespace

TEST_CASE("a trace has a row a rank with blocks, attention, transfers and waits") {
  const TemporaryFolder folder;
  const auto inputs = [](const char* file) { return (goldens / "v12" / file).string(); };
  const Arguments common{"--model",   goldens / "v12" / "model",
                         "--trace",   folder / "trace.json",
                         "--out",     folder / "out",
                         "--ulysses", "2"};
  const auto traced = [&](const Arguments& line, int ranks) {
    const Outcome outcome = run(line + common);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    const auto kinds = kinds_in(folder.read("trace.json"));
    CHECK(static_cast<int>(kinds.size()) == ranks);
    for (const auto& [rank, own] : kinds) {
      CAPTURE(rank);
      CHECK(own.contains("row rank " + std::to_string(rank)));
      for (const char* kind : {"block", "attention", "send", "receive", "wait"}) CHECK(own.contains(kind));
    }
  };
  traced({"forward", "--inputs", inputs("forward_inputs.safetensors")}, 2);
  traced({"denoise", "--inputs", inputs("ddim_inputs.safetensors"), "--cfg", "2", "--pipefusion", "2"}, 8);
}
