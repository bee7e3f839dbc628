// The world of a test that scripts/on-gpus or on-one-gpu runs in several processes. Where WEFT_MODE is eager,
// a trace is kept, so that nothing is recorded into graphs.
#pragma once

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/nccl.cuh"

inline weft::nccl::World* all_processes = nullptr;

inline bool is_eager() {
  const char* const mode = std::getenv("WEFT_MODE");
  return mode && std::string(mode) == "eager";
}

int main(int argc, char** argv) {
  const auto place = weft::launch_environment();
  if (!place) {
    std::fprintf(stderr, "start this with scripts/on-gpus or scripts/on-one-gpu RANKS %s\n", argv[0]);
    return 2;
  }
  weft::Trace trace(place->world);
  try {
    return weft::nccl::launch(*place, [&](weft::nccl::World& world) {
      if (is_eager()) world.record(trace);
      all_processes = &world;
      doctest::Context context(argc, argv);
      context.setOption("no-version", true);
      context.setOption("minimal", world.rank() > 0);
      const int code = context.run();
      if (code != 0) throw std::runtime_error("a test has failed");  // others may wait for what it left out
      return code;
    });
  } catch (const weft::InvalidArgument& rejection) {
    std::fprintf(stderr, "%s\n", rejection.what());
    return 2;
  }
}
