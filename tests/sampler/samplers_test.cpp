// The tables of updates against the samplers as diffusers writes them, with a made-up model of one number.
#include "weft/sampler/samplers.hpp"

#include <doctest/doctest.h>

#include "schedules.hpp"
#include "weft/io/safetensors.hpp"

using doctest::Contains;
using weft::make_sampler;
using weft::NoiseSchedule;
using weft::Refused;
using weft::Sampler;

namespace {

constexpr int train_steps = 1000;

/// What a model might say.
double prediction(double x, int timestep) { return 0.3 * x + std::sin(0.01 * timestep); }
double noise(std::size_t step) { return std::cos(3.0 * static_cast<double>(step)); }

/// The states after every step of the table.
std::vector<double> states_of(const Sampler& sampler, double x) {
  std::vector<double> out;
  double last = 0;
  for (std::size_t i = 0; i < sampler.size(); ++i) {
    const weft::SamplerStep& step = sampler[i];
    const double estimate = step.alpha * x - step.sigma * prediction(x, step.timestep);
    x = step.keep * x + step.take * estimate + step.recall * last + step.noise * noise(i);
    last = estimate;
    out.push_back(x);
  }
  return out;
}

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
  CHECK(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

std::vector<double> ddpm_states(const NoiseSchedule& schedule, const std::vector<int>& timesteps, int steps,
                                double x) {
  std::vector<double> out;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const int t = timesteps[i], previous = t - train_steps / steps;
    const double now = schedule.signal(t), before = previous >= 0 ? schedule.signal(previous) : 1;
    const double beta = 1 - now / before;
    const double original = std::sqrt(now) * x - std::sqrt(1 - now) * prediction(x, t);
    const double variance = std::max((1 - before) / (1 - now) * beta, 1e-20);
    x = std::sqrt(before) * beta / (1 - now) * original + std::sqrt(1 - beta) * (1 - before) / (1 - now) * x +
        std::sqrt(variance) * noise(i);
    out.push_back(x);
  }
  return out;
}

std::vector<double> ddim_states(const NoiseSchedule& schedule, const std::vector<int>& timesteps, int steps,
                                double x) {
  std::vector<double> out;
  for (const int t : timesteps) {
    const int previous = t - train_steps / steps;
    const double now = schedule.signal(t), before = schedule.signal(std::max(previous, 0)),
                 v = prediction(x, t);
    const double original = std::sqrt(now) * x - std::sqrt(1 - now) * v;
    const double epsilon = std::sqrt(now) * v + std::sqrt(1 - now) * x;
    x = std::sqrt(before) * original + std::sqrt(1 - before) * epsilon;
    out.push_back(x);
  }
  return out;
}

std::vector<double> dpmpp_states(const NoiseSchedule& schedule, const std::vector<int>& timesteps, double x) {
  std::vector<double> out;
  const auto lambda = [&](int t) { return 0.5 * std::log(schedule.signal(t) / (1 - schedule.signal(t))); };
  double last = 0;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const int t = timesteps[i];
    const double now = schedule.signal(t);
    const double original = std::sqrt(now) * x - std::sqrt(1 - now) * prediction(x, t);
    if (i + 1 == timesteps.size()) {
      x = original;
    } else {
      const double after = schedule.signal(timesteps[i + 1]), h = lambda(timesteps[i + 1]) - lambda(t);
      const double first_order = std::sqrt(after) * (std::exp(-h) - 1);
      x = std::sqrt((1 - after) / (1 - now)) * x - first_order * original;
      if (i > 0) x -= 0.5 * first_order * (original - last) / ((lambda(t) - lambda(timesteps[i - 1])) / h);
    }
    last = original;
    out.push_back(x);
  }
  return out;
}

std::vector<int> timesteps_of(const Sampler& sampler) {
  std::vector<int> out;
  for (const auto& step : sampler) out.push_back(step.timestep);
  return out;
}

}  // namespace

TEST_CASE("samplers: the goldens' timesteps") {
  for (const char* loop : {"ddpm", "ddim", "dpmpp", "ddpm_rescale"}) {
    const weft::SafeTensors golden(std::string(WEFT_GOLDENS_DIR "/v12/") + loop + "_expected.safetensors");
    const std::vector<float> expected = golden.tensor("timesteps").data;
    const Sampler sampler = make_sampler(golden.metadata().at("scheduler"), schedule_with(),
                                         std::stoi(golden.metadata().at("steps")));
    const auto timesteps = timesteps_of(sampler);
    CHECK(std::vector<float>(timesteps.begin(), timesteps.end()) == expected);
  }
}

TEST_CASE("samplers: every step is that of diffusers") {
  const NoiseSchedule schedule = schedule_with();
  for (const int steps : {1, 2, 8, 50, 333}) {
    CAPTURE(steps);
    const Sampler ddpm = weft::ddpm(schedule, steps), ddim = weft::ddim(schedule, steps),
                  dpmpp = weft::dpmpp(schedule, steps);
    CHECK(worst_difference(states_of(ddpm, 1.5), ddpm_states(schedule, timesteps_of(ddpm), steps, 1.5)) <
          1e-5);
    CHECK(worst_difference(states_of(ddim, 1.5), ddim_states(schedule, timesteps_of(ddim), steps, 1.5)) <
          1e-5);
    CHECK(worst_difference(states_of(dpmpp, 1.5), dpmpp_states(schedule, timesteps_of(dpmpp), 1.5)) < 1e-5);
  }
}

TEST_CASE("samplers: only DDPM adds noise, and none at the end") {
  const NoiseSchedule schedule = schedule_with();
  for (const auto& step : weft::ddim(schedule, 10)) CHECK(step.noise == 0);
  for (const auto& step : weft::dpmpp(schedule, 10)) CHECK(step.noise == 0);
  const Sampler ddpm = weft::ddpm(schedule, 10);
  for (std::size_t i = 0; i + 1 < ddpm.size(); ++i) CHECK(ddpm[i].noise > 0.03);
  CHECK(ddpm.back().noise < 1e-9);
}

TEST_CASE("make_sampler: an unknown name is refused, with those that there are") {
  CHECK_THROWS_WITH_AS(make_sampler("euler", schedule_with(), 10),
                       "there is no scheduler euler; there are ddpm, ddim and dpmpp", Refused);
  for (const auto name : weft::sampler_names) CHECK(make_sampler(name, schedule_with(), 10).size() == 10);
}

TEST_CASE("make_sampler: steps that do not fit are refused, with the nearest that do") {
  const NoiseSchedule schedule = schedule_with();
  for (const auto name : weft::sampler_names) {
    CHECK_THROWS_WITH_AS(make_sampler(name, schedule, 0), Contains("steps is 0 and must be from 1 to 99"),
                         Refused);
    CHECK_THROWS_WITH_AS(make_sampler(name, schedule, -5), Contains("steps is -5 and must be from 1 to"),
                         Refused);
    const int most = name == "dpmpp" ? 998 : 999;
    for (const int steps : {most + 1, 5000, 2'147'483'647})
      CHECK_THROWS_WITH_AS(make_sampler(name, schedule, steps),
                           Contains(("must be from 1 to " + std::to_string(most)).c_str()), Refused);
    CHECK(make_sampler(name, schedule, most).front().timestep < 1000);
  }
  CHECK(make_sampler("ddpm", schedule_with({{"steps_offset", 0}}), 1000).back().timestep == 0);
}

TEST_CASE("make_sampler: a schedule that leaves room for no step is refused") {
  const NoiseSchedule one = schedule_with({{"num_train_timesteps", 1}, {"steps_offset", 0}});
  CHECK(make_sampler("ddpm", one, 1).size() == 1);
  CHECK_THROWS_WITH_AS(make_sampler("dpmpp", one, 1),
                       "no number of steps works with 1 training steps and a steps_offset of 0", Refused);
}
