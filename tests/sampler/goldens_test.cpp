// Schedulers against the traces of diffusers' in tests/goldens/schedulers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "weft/io/mapped_file.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/sampler/samplers.hpp"

namespace {

const std::filesystem::path folder = std::filesystem::path(WEFT_GOLDENS_DIR) / "schedulers";

/// Computes the formula that stands for a model.
float output(float x, float timestep, std::size_t element) {
  return static_cast<float>(
      0.6 * static_cast<double>(x) +
      0.5 * std::sin(0.01 * static_cast<double>(timestep) + 0.7 * static_cast<double>(element)));
}

/// Returns torch.quantile of one image's magnitudes.
float quantile(std::vector<float> magnitudes, float q) {
  std::ranges::sort(magnitudes);
  const float place = q * static_cast<float>(magnitudes.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, magnitudes.size() - 1);
  return magnitudes[below] + (place - static_cast<float>(below)) * (magnitudes[above] - magnitudes[below]);
}

struct Found {
  float quantile;
  float value() const { return quantile; }
};

/// The state of all images of the goldens.
struct State {
  static constexpr std::size_t images = 2;

  std::vector<float> x, last = std::vector<float>(x.size());

  void take(const weft::SamplerStep& step, const float* noise) {
    const std::size_t size = x.size() / images;
    for (std::size_t image = 0; image < images; ++image) {
      std::vector<float> outputs, magnitudes;
      for (std::size_t i = image * size; i < (image + 1) * size; ++i) {
        outputs.push_back(output(x[i], step.timestep, i));
        magnitudes.push_back(std::abs(step.estimate(x[i], outputs.back())));
      }
      const Found found{step.has_quantile() ? quantile(magnitudes, step.quantile) : 0};
      const float bound = step.bound_of(&found);
      for (std::size_t i = image * size; i < (image + 1) * size; ++i) {
        const float out = outputs[i - image * size];
        const float estimate = step.bounded(step.estimate(x[i], out), bound);
        x[i] = step.next(x[i], estimate, last[i], out) + step.noise * noise[i];
        last[i] = estimate;
      }
    }
  }
};

/// Returns the largest difference relative to the largest number.
double error(const std::vector<float>& x, const float* expected) {
  double most = 0, worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(expected[i])));
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - static_cast<double>(expected[i])));
  }
  return worst / most;
}

std::string name_of(const std::string& class_name) {
  return class_name == "DDIMScheduler" ? "ddim" : class_name == "DDPMScheduler" ? "ddpm" : "dpmpp";
}

}  // namespace

TEST_CASE("samplers: every state equals that of diffusers, with all settings") {
  const auto cases = nlohmann::json::parse(weft::MappedFile(folder / "cases.json").text());
  const weft::SafeTensors traces(folder / "traces.safetensors");
  const weft::Tensor latents = traces.tensor("latents"), noise = traces.tensor("noise");
  CHECK(cases.size() > 300);
  for (const auto& [number, it] : cases.items()) {
    const auto text = it.at("config").get<std::string>();
    const int steps = it.at("steps").get<int>();
    CAPTURE(number);
    CAPTURE(text);
    CAPTURE(steps);
    const weft::Sampler sampler =
        weft::make_sampler(name_of(it.at("class")), weft::Config(text, "s.json"), steps);
    const weft::Tensor timesteps = traces.tensor(number + ".timesteps"),
                       trace = traces.tensor(number + ".trace");
    REQUIRE(sampler.size() == timesteps.data.size());
    State state{latents.data};
    for (std::size_t i = 0; i < sampler.size(); ++i) {
      CHECK(sampler[i].timestep == timesteps.data[i]);
      state.take(sampler[i], noise.data.data() + i * state.x.size());
      CHECK(error(state.x, trace.data.data() + i * state.x.size()) < 1e-5);
    }
  }
}
