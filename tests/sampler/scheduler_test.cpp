// A scheduler from outside of the library.
#include "weft/sampler/scheduler.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "weft/sampler/samplers.hpp"

namespace elsewhere {

/// Euler's method for rectified flow, at times from 1 to 0.
struct EvenFlow {
  float first = 1;
};

weft::Sampler sampler_of(const EvenFlow& flow, int steps) {
  if (steps < 1) weft::reject("steps is ", steps, " and must be at least 1");
  weft::Sampler out;
  for (int i = 0; i < steps; ++i)
    out.push_back({.timestep = flow.first * (1 - static_cast<float>(i) / static_cast<float>(steps)),
                   .take = 0,
                   .direct = -flow.first / static_cast<float>(steps)});
  for (weft::SamplerStep& step : out) step.keep = 1;
  return out;
}

struct ByTokens {};
weft::Sampler sampler_of(const ByTokens&, int steps, const weft::SamplingDemand& demand) {
  return weft::Sampler(static_cast<std::size_t>(steps),
                       {.timestep = 0.25f * static_cast<float>(demand.tokens)});
}

struct Timesteps {};
std::vector<float> sampler_of(const Timesteps&, int steps);

}  // namespace elsewhere

static_assert(weft::Scheduler<elsewhere::EvenFlow> && weft::Scheduler<elsewhere::ByTokens>);
static_assert(!weft::ConfiguredScheduler<elsewhere::EvenFlow>);
static_assert(!weft::Scheduler<elsewhere::Timesteps> && !weft::Scheduler<int> &&
              !weft::Scheduler<weft::Config>);

TEST_CASE("make_sampler takes any scheduler, whose times need not be whole") {
  const weft::Sampler sampler = weft::make_sampler(elsewhere::EvenFlow{}, 8);
  REQUIRE(sampler.size() == 8);
  CHECK(sampler[1].timestep == 0.875f);
  CHECK(weft::make_sampler(elsewhere::ByTokens{}, 2, {.tokens = 77})[1].timestep == 19.25f);
}

TEST_CASE("make_sampler rejects what a scheduler rejects, and constants that leave float32") {
  CHECK_THROWS_WITH_AS((void)weft::make_sampler(elsewhere::EvenFlow{}, 0),
                       "steps is 0 and must be at least 1", weft::InvalidArgument);
  CHECK_THROWS_AS((void)weft::make_sampler(elsewhere::EvenFlow{INFINITY}, 3), weft::InvalidArgument);
}
