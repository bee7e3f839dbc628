// The command's standard streams.
#include <doctest/doctest.h>

#include "command.hpp"
#include "weft/version.hpp"

namespace {

const std::string to_full_disk = "sh -c 'exec \"$0\" \"$@\" > /dev/full'";
const std::string closed = "sh -c 'exec \"$0\" \"$@\" 0<&- >&-'";
const std::string lone_worker = "RANK=1 WORLD_SIZE=4 MASTER_ADDR=localhost MASTER_PORT=1";

const std::vector<std::string> places{
    "", lone_worker, "RANK=0", "RANK=1", "OMPI_COMM_WORLD_RANK=2", "RANK=3 WORLD_SIZE=4"};

}  // namespace

TEST_CASE("help and the version are printed whatever a launcher has left in the environment") {
  for (const std::string& place : places) {
    CAPTURE(place);
    for (const Arguments& line :
         {Arguments{"--help"}, Arguments{"generate", "--help"}, Arguments{"plan", "-h"}}) {
      const Outcome outcome = run(line, place);
      CHECK(outcome.code == 0);
      CHECK(outcome.err.empty());
      CHECK(outcome.out.find("Usage: weft") != std::string::npos);
    }
    CHECK(run({"--version"}, place).out == "weft " WEFT_VERSION "\n");
  }
}

TEST_CASE("a rejection is printed by a worker that is alone, too") {
  const auto rejected = [](const Arguments& line, const std::string& text) {
    const Outcome outcome = run(line, lone_worker);
    CHECK(outcome.code == 2);
    CHECK(outcome.err.find(text) != std::string::npos);
  };
  rejected({"generate", "--outt", "a"}, "--outt a were not expected");
  rejected({"generate", "--model", shapes, "--prompt", caption, "--out", "a.png", "--steps", "2"},
           "torchrun has started 4 processes");
  rejected({"plan", "--hardware", "t4-pcie"}, "start it without torchrun");
}

TEST_CASE("a standard output that cannot be written is a failure") {
  const TemporaryFolder folder;
  const std::vector<Arguments> lines{
      {"--help"},
      {"generate", "--help"},
      {"--version"},
      {"plan", "--hardware", "t4-pcie", "--px", "512"},
      {"generate", "--model", shapes, "--prompt", caption, "--steps", "1", "--out", folder / "a.png"}};
  for (const Arguments& line : lines) {
    CAPTURE(line.front());
    const Outcome full = run(line, to_full_disk);
    CHECK(full.code == 1);
    CHECK(full.err.find("cannot write to the standard output") != std::string::npos);
    const Outcome shut = run(line, closed);
    CHECK(shut.code == 1);
    CHECK(shut.err.find("cannot write to the standard output") != std::string::npos);
  }
  CHECK(folder.read("a.png").starts_with("\x89PNG"));
  CHECK(run({"generate"}, to_full_disk).code == 2);
}

TEST_CASE("the sentence about a failed output names the files written before it") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"generate", "--model", shapes, "--prompt", caption, "--steps", "1", "--out",
                               folder / "a.png", "--latents-out", folder / "state"},
                              "ulimit -f 40;");
  CHECK(outcome.code == 1);
  CHECK(outcome.err.ends_with("cannot write " + (folder / "state").string() +
                              ": File too large; written before that: " + (folder / "a.png").string() +
                              "\n"));
  CHECK(folder.count() == 1);
}
