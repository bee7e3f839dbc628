// Which settings schedulers obey, and which they reject; goldens_test.cpp compares their steps to diffusers'.
#include "weft/sampler/samplers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schedulers.hpp"
#include "weft/io/safetensors.hpp"

using doctest::Contains;
using weft::Config;
using weft::InvalidArgument;
using weft::make_sampler;
using weft::Sampler;

namespace {

constexpr const char* names[] = {"ddpm", "ddim", "dpmpp"};

bool equal(const Sampler& a, const Sampler& b) {
  return std::ranges::equal(a, b, [](const auto& one, const auto& other) {
    return one.timestep == other.timestep && one.numbers() == other.numbers();
  });
}

void rejected(const char* scheduler, Settings settings, const char* part) {
  CHECK_THROWS_WITH_AS(make_sampler(scheduler, scheduler_with(settings), 8), Contains(part), InvalidArgument);
}

}  // namespace

TEST_CASE("samplers: the goldens' timesteps") {
  for (const char* loop : {"ddpm", "ddim", "dpmpp", "ddpm_rescale"}) {
    const weft::SafeTensors golden(std::string(WEFT_GOLDENS_DIR "/v12/") + loop + "_expected.safetensors");
    const Sampler sampler = make_sampler(golden.metadata().at("scheduler"), scheduler_with(),
                                         std::stoi(golden.metadata().at("steps")));
    std::vector<float> timesteps;
    for (const auto& step : sampler) timesteps.push_back(step.timestep);
    CHECK(timesteps == golden.tensor("timesteps").data);
  }
}

TEST_CASE("make_sampler: without a scheduler's name, the class in the file decides") {
  const std::pair<const char*, const char*> classes[] = {
      {"DDPMScheduler", "ddpm"},
      {"DDIMScheduler", "ddim"},
      {"DPMSolverMultistepScheduler", "dpmpp"},
      {"FlowMatchEulerDiscreteScheduler", "flow_match_euler"}};
  for (const auto& [class_name, name] : classes) {
    const Config file = scheduler_with({{"_class_name", class_name}});
    CHECK(equal(make_sampler(file, 8), make_sampler(name, file, 8)));
  }
  for (const char* unknown : {"EulerDiscreteScheduler", "PNDMScheduler"})
    CHECK_THROWS_WITH_AS(make_sampler(scheduler_with({{"_class_name", unknown}}), 8),
                         (std::string("s.json: _class_name is ") + unknown +
                          ", and DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler and "
                          "FlowMatchEulerDiscreteScheduler "
                          "work here; ask for one of their schedulers, ddpm, ddim, dpmpp and "
                          "flow_match_euler, to read the file "
                          "as it does")
                             .c_str(),
                         InvalidArgument);
  CHECK_THROWS_WITH_AS(make_sampler(scheduler_with(), 8), Contains("s.json names no _class_name"),
                       InvalidArgument);
}

TEST_CASE("make_sampler: an unknown name is rejected, with the known ones") {
  CHECK_THROWS_WITH_AS(make_sampler("euler", scheduler_with(), 10),
                       "there is no scheduler euler; there are ddpm, ddim, dpmpp and flow_match_euler",
                       InvalidArgument);
  for (const auto* name : names) CHECK(make_sampler(name, scheduler_with(), 10).size() == 10);
}

TEST_CASE("make_sampler: settings that cannot be obeyed are rejected by name") {
  for (const auto* name : names) {
    rejected(name, {{"prediction_type", "noise"}}, "s.json: prediction_type is noise, and D");
    rejected(name, {{"beta_schedule", "quadratic"}}, "beta_schedule is quadratic");
    rejected(name, {{"timestep_spacing", "dense"}}, "here knows leading, linspace and trailing");
    rejected(name, {{"num_train_timesteps", 0}}, "num_train_timesteps is 0 and must be from 1 to 1000000");
    rejected(name, {{"num_train_timesteps", 2'000'000'000}}, "num_train_timesteps is 2000000000 and must be");
    rejected(name, {{"steps_offset", -1}}, "steps_offset is -1 and must be at least 0");
    rejected(name, {{"steps_offset", 1.5}}, "steps_offset is 1.5 and must be a whole number");
    rejected(name, {{"thresholding", true}, {"dynamic_thresholding_ratio", 1.5}}, "ratio is 1.5 and must be");
    rejected(name, {{"thresholding", true}, {"sample_max_value", 0}}, "sample_max_value is 0 and must be");
    rejected(name, {{"thresholding", 1}}, "thresholding is 1 and must be true or false");
    rejected(name, {{"trained_betas", {0.1, "x"}}}, "trained_betas[1] is \"x\" and must be a finite number");
  }
  rejected("ddim", {{"trained_betas", nlohmann::json::array()}}, "trained_betas is empty");
  for (const char* name : {"ddpm", "ddim"})
    rejected(name, {{"clip_sample", true}, {"clip_sample_range", -1}}, "clip_sample_range is -1 and must be");
  rejected("ddim", {{"beta_schedule", "sigmoid"}},
           "and DDIMScheduler here knows linear, scaled_linear and sq");
  rejected("ddpm", {{"variance_type", "learned_range"}}, "variance_type is learned_range");
  rejected("ddpm", {{"variance_type", "fixed_large_log"}},
           "knows fixed_small, fixed_small_log and fixed_large");

  const char* const dpmpp = "dpmpp";
  rejected(dpmpp, {{"solver_order", 3}}, "solver_order is 3, and 1 and 2 work here");
  rejected(dpmpp, {{"solver_type", "euler"}}, "solver_type is euler");
  rejected(dpmpp, {{"algorithm_type", "unipc"}}, "algorithm_type is unipc");
  rejected(dpmpp, {{"algorithm_type", "dpmsolver"}}, "needs final_sigmas_type sigma_min");
  rejected(dpmpp,
           {{"algorithm_type", "dpmsolver"}, {"final_sigmas_type", "sigma_min"}, {"thresholding", true}},
           "thresholding is true");
  rejected(dpmpp,
           {{"algorithm_type", "sde-dpmsolver"},
            {"final_sigmas_type", "sigma_min"},
            {"prediction_type", "flow_prediction"}},
           "prediction_type is flow_prediction, which algorithm_type sde-dpmsolver does not know");
  rejected(dpmpp, {{"final_sigmas_type", "sigma_max"}}, "final_sigmas_type is sigma_max");
  rejected(dpmpp, {{"use_beta_sigmas", true}}, "use_beta_sigmas is true");
  rejected(dpmpp, {{"use_karras_sigmas", true}, {"use_exponential_sigmas", true}}, "one of them can be");
  rejected(dpmpp, {{"use_karras_sigmas", true}, {"sigma_min", 0}}, "sigma_min is 0 and must be more than 0");
  rejected(dpmpp, {{"use_dynamic_shifting", true}}, "use_dynamic_shifting is true");
  rejected(dpmpp, {{"flow_shift", 0}}, "flow_shift is 0 and must be more than 0");
  rejected(dpmpp, {{"variance_type", "learned"}, {"prediction_type", "epsilon"}}, "variance_type is learned");
  rejected(dpmpp, {{"lambda_min_clipped", 100}},
           "no number of steps works with 1000 training steps, of which 0");
}

TEST_CASE("make_sampler: settings of other classes, and those without effect, are accepted") {
  for (const auto* name : names)
    CHECK(equal(
        make_sampler(name, scheduler_with(), 8),
        make_sampler(name, scheduler_with({{"skip_prk_steps", true}, {"interpolation_type", "linear"}}), 8)));
  CHECK(
      equal(make_sampler("dpmpp", scheduler_with(), 8),
            make_sampler("dpmpp", scheduler_with({{"clip_sample", true}, {"variance_type", "learned"}}), 8)));
}

TEST_CASE("make_sampler: at zero SNR, epsilon predictions need bounds") {
  const auto with = [](bool clips) {
    return scheduler_with({{"rescale_betas_zero_snr", true},
                           {"prediction_type", "epsilon"},
                           {"timestep_spacing", "trailing"},
                           {"clip_sample", clips}});
  };
  CHECK_THROWS_WITH_AS(make_sampler("ddim", with(false), 8),
                       Contains("rescale_betas_zero_snr leaves nothing of the image at timestep 999"),
                       InvalidArgument);
  CHECK(make_sampler("ddim", with(true), 8).size() == 8);
}

TEST_CASE("make_sampler: only DDPM and the stochastic solvers add noise, and not at the end") {
  for (const auto& step : make_sampler("ddim", scheduler_with(), 10)) CHECK(step.noise == 0);
  for (const auto& step : make_sampler("dpmpp", scheduler_with(), 10)) CHECK(step.noise == 0);
  for (const Sampler& noisy :
       {make_sampler("ddpm", scheduler_with(), 10),
        make_sampler("dpmpp", scheduler_with({{"algorithm_type", "sde-dpmsolver++"}}), 10)}) {
    for (std::size_t i = 0; i + 1 < noisy.size(); ++i) CHECK(noisy[i].noise > 0.03);
    CHECK(noisy.back().noise < 1e-9);
  }
}

TEST_CASE("make_sampler: a quantile is searched for only if the threshold depends on it") {
  const auto first = [](double most) {
    return make_sampler("ddim", scheduler_with({{"thresholding", true}, {"sample_max_value", most}}), 4)
        .front();
  };
  CHECK_FALSE(first(1).has_quantile());
  CHECK(first(1).bound == 1);
  CHECK(first(4).has_quantile());
  CHECK(first(4).bound == 4);
  CHECK(first(4).normalizes == 1);
  CHECK_FALSE(make_sampler("ddim", scheduler_with(), 4).front().has_quantile());
}

TEST_CASE("make_sampler: numbers of steps that do not work are rejected, with the nearest that does") {
  for (const auto* name : names) {
    const Config file = scheduler_with();
    CHECK_THROWS_WITH_AS(make_sampler(name, file, 0), Contains("steps is 0 and must be from 1 to 99"),
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(make_sampler(name, file, -5), Contains("steps is -5 and must be from 1 to"),
                         InvalidArgument);
    const int most = std::string_view(name) == "dpmpp" ? 998 : 999;
    for (const int steps : {most + 1, 5000, 2'147'483'647})
      CHECK_THROWS_WITH_AS(make_sampler(name, file, steps),
                           Contains(("must be from 1 to " + std::to_string(most)).c_str()), InvalidArgument);
    CHECK(make_sampler(name, file, most).front().timestep < 1000);
    for (const char* spacing : {"linspace", "trailing"}) {
      const Config other = scheduler_with({{"timestep_spacing", spacing}});
      CHECK_THROWS_WITH_AS(make_sampler(name, other, 1001), Contains("steps is 1001 and must be from 1 to"),
                           InvalidArgument);
      for (int steps = 1; steps < 1000; ++steps) {
        const Sampler sampler = make_sampler(name, other, steps);
        CHECK(sampler.size() == static_cast<std::size_t>(steps));
        CHECK(std::ranges::is_sorted(sampler, [](auto& a, auto& b) { return a.timestep >= b.timestep; }));
        CHECK(sampler.back().timestep >= 0);
        if (steps > 60) steps += 37;
      }
    }
  }
  CHECK_THROWS_WITH_AS(make_sampler("dpmpp", scheduler_with({{"use_karras_sigmas", true}}), 1001),
                       Contains("steps is 1001 and must be from 1 to 1000"), InvalidArgument);
  CHECK(make_sampler("ddpm", scheduler_with({{"steps_offset", 0}}), 1000).back().timestep == 0);
}

TEST_CASE("make_sampler: a schedule without any possible step is rejected") {
  const Config one = scheduler_with({{"num_train_timesteps", 1}, {"steps_offset", 0}});
  CHECK(make_sampler("ddpm", one, 1).size() == 1);
  CHECK_THROWS_WITH_AS(make_sampler("dpmpp", one, 1),
                       Contains("no number of steps works with 1 training steps"), InvalidArgument);
}

TEST_CASE("flow matching: sigmas fall from 1 to 0, shifted, and the model is given 1000 times as much") {
  const auto sampler_with = [](std::string_view settings, const weft::SamplingDemand& demand = {}) {
    return weft::sampler_of(weft::FlowMatchConfig(Config(settings, "s.json")), 4, demand);
  };
  const auto check = [](const weft::Sampler& sampler, const std::vector<double>& sigmas) {
    REQUIRE(sampler.size() == sigmas.size());
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      const double next = i + 1 < sigmas.size() ? sigmas[i + 1] : 0;
      CHECK(sampler[i].sigma == doctest::Approx(sigmas[i]).epsilon(1e-6));
      CHECK(sampler[i].timestep == doctest::Approx(1000 * sigmas[i]).epsilon(1e-6));
      CHECK(sampler[i].direct == doctest::Approx(next - sigmas[i]).epsilon(1e-5));
    }
  };
  const auto shifted = [](double shift, double sigma) { return shift * sigma / (1 + (shift - 1) * sigma); };
  check(sampler_with("{}", {.spaces_sigmas = true}), {1, 0.75, 0.5, 0.25});
  check(sampler_with(R"({"shift": 3.0})", {.spaces_sigmas = true}),
        {1, shifted(3, 0.75), shifted(3, 0.5), shifted(3, 0.25)});
  const double least = shifted(3, 0.001);  // shifted once more below
  check(sampler_with(R"({"shift": 3.0})"),
        {1, shifted(3, 1 - (1 - least) / 3), shifted(3, 1 - 2 * (1 - least) / 3), shifted(3, least)});
  const double by = std::exp(0.5);  // as of an image of base_image_seq_len tokens
  check(sampler_with(R"({"use_dynamic_shifting": true})", {.tokens = 256, .spaces_sigmas = true}),
        {1, shifted(by, 0.75), shifted(by, 0.5), shifted(by, 0.25)});
  check(sampler_with(R"({"shift_terminal": 0.5})", {.spaces_sigmas = true}),
        {1, 1 - 0.25 * 2 / 3, 1 - 0.5 * 2 / 3, 0.5});
}

TEST_CASE("flow matching: what cannot be obeyed is rejected") {
  const auto rejected = [](std::string_view settings, const char* sentence) {
    CHECK_THROWS_WITH_AS(weft::sampler_of(weft::FlowMatchConfig(Config(settings, "s.json")), 4),
                         Contains(sentence), InvalidArgument);
  };
  rejected(R"({"use_beta_sigmas": true})", "s.json: use_beta_sigmas is true");
  rejected(R"({"invert_sigmas": true})", "s.json: invert_sigmas is true");
  rejected(R"({"shift": 0.0})", "s.json: shift is 0 and must be above 0");
  rejected(R"({"shift_terminal": 1.0})", "s.json: shift_terminal is 1 and must be from 0 to below 1");
  rejected(R"({"time_shift_type": "cubic"})", "s.json: time_shift_type is cubic");
  rejected(R"({"use_karras_sigmas": true, "use_exponential_sigmas": true})", "make one of them false");
  rejected(R"({"use_dynamic_shifting": true})", "is not told how many there are");
}
