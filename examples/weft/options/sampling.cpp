#include <cstdint>
#include <limits>

#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_sampling(CLI::App& app, Options& options) {
  Sampling& sampling = options.sampling;
  const auto setting = [&app](const char* name, auto& value, const char* type, const char* description) {
    return app.add_option(name, value, description)
        ->type_name(type)
        ->capture_default_str()
        ->group("Sampling");
  };
  setting("--scheduler", sampling.scheduler, "NAME",
          "ddpm, ddim, dpmpp or flow_match_euler (default: the model's)");
  setting("--steps", sampling.steps, "N",
          "Denoising steps; pipelines with text encoders have defaults of their own")
      ->check(any<int>("whole number from 1"));
  setting("--guidance", sampling.guidance, "G",
          "Scale of guidance, of which pipelines have defaults of their own too; 1 and below: none")
      ->check(any<float>("number; 5 is usual"));
  setting("--guidance-rescale", sampling.guidance_rescale, "F",
          "How far guidance is rescaled to the conditional prediction's deviation, 0 to 1")
      ->check(any<float>("number from 0 to 1"));
  setting("--seed", sampling.seed, "N", "Seed of the noise")
      ->check(between(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()));
  app.add_option("--noise", options.noise,
                 "Starts from the tensor `noise` (images, channels, height, width) of this file")
      ->type_name("F.safetensors")
      ->group("Sampling");
}

void add_cache(CLI::App& app, NamedValues& names) {
  app.add_option(
         "--cache", names.cache,
         "Steps, numbered from 0, that add what blocks added last instead of running them: "
         "teacache:THRESHOLD, while the timesteps' embeddings have moved less than that since the last "
         "full step; steps:STEP,STEP,…; skip:PERIOD, all but each PERIOD-th, where the first and the last "
         "block run always, for models with long skips")
      ->type_name("RULE")
      ->group("Sampling");
}

}  // namespace command
