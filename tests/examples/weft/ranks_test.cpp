#include <doctest/doctest.h>

#include <stdexcept>

#include "../../../examples/weft/options/options.hpp"

using command::Backend;
using command::Command;
using command::Options;

namespace {

/// Returns the number of ranks where a process can drive 8 GPUs.
weft::Index ranks_of(const Options& options) {
  return with_all_gpus(options, [] { return 8; }).world();
}

Options on(Backend backend) {
  Options options;
  options.backend = backend;
  return options;
}

}  // namespace

TEST_CASE("one process alone drives all GPUs, and on the host it is one rank") {
  Options options = on(Backend::cuda);
  CHECK(ranks_of(options) == 8);
  options.command = Command::bench;
  CHECK(ranks_of(options) == 8);
  options.command = Command::plan;
  CHECK(ranks_of(options) == 1);
  CHECK(ranks_of(on(Backend::host)) == 1);
}

TEST_CASE("--ranks, degrees and launchers set the number of ranks, and GPUs are not counted") {
  const auto fail = []() -> int { throw std::logic_error("counted GPUs"); };
  Options options = on(Backend::cuda);
  options.ranks = 1;
  CHECK(with_all_gpus(options, fail).world() == 1);
  options = on(Backend::cuda);
  options.planning.has_degrees = true;
  CHECK(with_all_gpus(options, fail).world() == 1);
  options.mesh.cfg = 2;
  CHECK(with_all_gpus(options, fail).world() == 2);
  options = on(Backend::cuda);
  options.launched.emplace().world = 2;
  CHECK(with_all_gpus(options, fail).world() == 2);
}
