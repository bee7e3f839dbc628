#include "weft/sampler/noise_schedule.hpp"

#include <doctest/doctest.h>

#include "schedules.hpp"

using doctest::Contains;
using weft::NoiseSchedule;
using weft::Refused;

TEST_CASE("NoiseSchedule: the product of 1 − beta, whose roots grow evenly") {
  const NoiseSchedule schedule = schedule_with();
  CHECK(schedule.train_steps() == 1000);
  CHECK(schedule.steps_offset() == 1);
  double product = 1, worst = 0;
  for (int t = 0; t < 1000; ++t) {
    const double root = std::sqrt(0.00085) + (std::sqrt(0.018) - std::sqrt(0.00085)) * t / 999;
    product *= 1 - root * root;
    worst = std::max(worst, std::abs(schedule.signal(t) / product - 1));
  }
  CHECK(worst < 1e-4);
  CHECK(schedule_with({{"num_train_timesteps", 1}, {"steps_offset", 0}}).signal(0) ==
        doctest::Approx(1 - 0.00085).epsilon(1e-6));
}

TEST_CASE("NoiseSchedule: reads the golden model's file") {
  const NoiseSchedule schedule(
      weft::Config::read(WEFT_GOLDENS_DIR "/v12/model/scheduler/scheduler_config.json"));
  CHECK(schedule.signal(999) == schedule_with().signal(999));
}

TEST_CASE("NoiseSchedule: what the samplers cannot do is refused") {
  const auto refused = [](const char* key, const nlohmann::json& value, const char* part) {
    CHECK_THROWS_WITH_AS(schedule_with({{key, value}}), Contains(part), Refused);
  };
  refused("prediction_type", "epsilon",
          "s.json: prediction_type is epsilon, and samplers here know v_prediction alone");
  refused("prediction_type", nullptr, "prediction_type is epsilon");
  refused("beta_schedule", "linear", "beta_schedule is linear, and samplers here know scaled_linear alone");
  refused("beta_schedule", nullptr, "beta_schedule is linear");
  refused("timestep_spacing", "trailing",
          "timestep_spacing is trailing, and samplers here know leading alone");
  refused("clip_sample", true, "clip_sample is true");
  refused("clip_sample", nullptr, "clip_sample is true (its default)");
  refused("num_train_timesteps", 0, "num_train_timesteps is 0 and must be from 1 to 1000000");
  refused("num_train_timesteps", 2'000'000'000, "num_train_timesteps is 2000000000 and must be from 1 to");
  refused("steps_offset", -1, "steps_offset is -1 and must be from 0 to 999");
  refused("steps_offset", 1000, "steps_offset is 1000 and must be from 0 to 999");
  refused("steps_offset", 1.5, "steps_offset is 1.5 and must be a whole number");
}

TEST_CASE("NoiseSchedule: betas that are none, or that make no schedule, are refused") {
  const auto refused = [](double first, double last, const char* part) {
    CHECK_THROWS_WITH_AS(schedule_with({{"beta_start", first}, {"beta_end", last}}), Contains(part), Refused);
  };
  for (const auto& [first, last] :
       {std::pair(-0.1, 0.02), {0.0, 0.02}, {0.02, 0.01}, {0.01, 1.0}, {0.01, 7.0}})
    refused(first, last, "beta_start and beta_end must lie between 0 and 1, in this order");
  refused(1e-12, 1e-12, "training step 0 adds too little noise");
  refused(0.9, 0.9, "leaves too little of the picture");
}
