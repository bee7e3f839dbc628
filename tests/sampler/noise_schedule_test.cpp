#include "weft/sampler/noise_schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

using doctest::Contains;
using weft::BetaConfig;
using weft::InvalidArgument;
using weft::NoiseSchedule;

namespace {

BetaConfig hunyuan() {
  BetaConfig config;
  config.start = 0.00085, config.end = 0.018, config.schedule = weft::BetaSchedule::scaled_linear;
  return config;
}

}  // namespace

TEST_CASE("NoiseSchedule: scaled_linear is the product of 1 − beta, whose roots grow evenly") {
  const NoiseSchedule schedule(hunyuan());
  CHECK(schedule.train_steps() == 1000);
  double product = 1, worst = 0;
  for (int t = 0; t < 1000; ++t) {
    const double root = std::sqrt(0.00085) + (std::sqrt(0.018) - std::sqrt(0.00085)) * t / 999;
    product *= 1 - root * root;
    worst = std::max(worst, std::abs(static_cast<double>(schedule.signal(t)) / product - 1));
  }
  CHECK(worst < 1e-4);
  BetaConfig one = hunyuan();
  one.train_steps = 1;
  CHECK(static_cast<double>(NoiseSchedule(one).signal(0)) == doctest::Approx(1 - 0.00085).epsilon(1e-6));
}

TEST_CASE("NoiseSchedule: rescaled betas end at zero SNR") {
  BetaConfig config = hunyuan();
  config.rescales_zero_snr = true;
  const NoiseSchedule schedule(config), plain(hunyuan());
  CHECK(schedule.signal(999) == 0);
  CHECK(schedule.level(999).sigma == 1);
  CHECK(std::abs(schedule.signal(0) - plain.signal(0)) < 1e-6f);
  CHECK(schedule.signal(500) < plain.signal(500));
}

TEST_CASE("NoiseSchedule: invalid betas are rejected") {
  const auto rejected = [](double first, double last, const char* part) {
    BetaConfig config = hunyuan();
    config.start = first, config.end = last;
    CHECK_THROWS_WITH_AS(NoiseSchedule{config}, Contains(part), InvalidArgument);
  };
  for (const auto& [first, last] :
       {std::pair(-0.1, 0.02), {0.0, 0.02}, {0.02, 0.01}, {0.01, 1.0}, {0.01, 7.0}})
    rejected(first, last, "and they must lie between 0 and 1, in this order");
  rejected(1e-12, 1e-12, "training step 0 adds too little noise");
  rejected(0.9, 0.9, "leaves too little of the image");

  BetaConfig trained;
  trained.train_steps = 3;
  trained.trained = {0.1, 0.2};
  CHECK_THROWS_WITH_AS(NoiseSchedule{trained},
                       "the scheduler: trained_betas has 2 numbers and must have num_train_timesteps, 3",
                       InvalidArgument);
  trained.trained = {0.1, 0.2, 1};
  CHECK_THROWS_WITH_AS(NoiseSchedule{trained},
                       "the scheduler: trained_betas[2] is 1 and must lie between 0 and 1", InvalidArgument);
}
