// Generation: an ImageRequest as a model's engine takes it, with what has to be encoded for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/engine/request.hpp"
#include "weft/pipeline/folder.hpp"
#include "weft/pipeline/prompts.hpp"
#include "weft/pipeline/request.hpp"
#include "weft/pipeline/sampler.hpp"

namespace weft::inline v0_1::pipeline {

/// The prompts of the models that have such settings.
template <class Settings>
using PromptOf = decltype(prompt_of(std::declval<const EncodedPrompt&>(), std::declval<const Settings&>(),
                                    PromptSettings{}));

template <class Settings>
struct Generation {
  ImageSizes sizes{};
  PromptSettings prompt_settings{};
  std::vector<std::string> texts{};       // to be encoded: negative prompts, if there are any, and prompts
  Request<PromptOf<Settings>> request{};  // without prompts
};

namespace detail {

/// Returns the scale of guidance: the request's, or the pipeline's own. schnell has none.
template <class Settings>
float guidance_of(const Settings& settings, const PipelineClass& pipeline, const ImageRequest& asked) {
  if constexpr (std::is_same_v<Settings, FluxConfig>) {
    if (!settings.embeds_guidance) {
      if (asked.guidance.value_or(0) > 1)
        reject("guidance is ", *asked.guidance, ", and this model has none; omit it, or use 0");
      return 0;
    }
  }
  const float guidance = asked.guidance.value_or(pipeline.guidance);
  if (!std::isfinite(guidance)) reject("guidance is ", guidance, " and must be a finite number; 5 is usual");
  return guidance;
}

/// Returns the default number of steps: the pipeline's, and schnell's, which was distilled for 4.
template <class Settings>
int steps_of(const Settings& settings, const PipelineClass& pipeline) {
  if constexpr (std::is_same_v<Settings, FluxConfig>)
    if (!settings.embeds_guidance) return 4;
  return pipeline.steps;
}

/// Returns the negative prompt of each prompt.
inline std::vector<std::string> negatives_of(const ImageRequest& asked) {
  const std::size_t prompts = asked.prompts.size(), given = asked.negatives.size();
  if (given > 1 && given != prompts)
    reject("there are ", given, " negative prompts for ", prompts, prompts == 1 ? " prompt" : " prompts",
           "; give one for all or one for each");
  if (given == prompts) return asked.negatives;
  return std::vector<std::string>(prompts, given == 1 ? asked.negatives.front() : "");
}

}  // namespace detail

/// Resolves a request for a model of these settings. Throws InvalidArgument if the pipeline cannot do it.
template <class Settings>
[[nodiscard]] Generation<Settings> generation_of(const PipelineFolder& folder, const Settings& settings,
                                                 const ImageRequest& asked) {
  constexpr bool is_flux = std::is_same_v<Settings, FluxConfig>;
  const PipelineClass& pipeline = folder.pipeline();
  if (transformer_class(settings) != pipeline.transformer)
    reject(folder.path().string(), " is a ", pipeline.name, " and runs ", pipeline.transformer, ", not ",
           transformer_class(settings));
  const DitShape shape = settings.shape();
  folder.check(shape);
  if (asked.prompts.empty()) reject("the request has no prompt; give at least one");

  Generation<Settings> out;
  const PixelScale scale = folder.scale(shape.patch);
  const Index native = folder.native_side();
  out.sizes = image_sizes(pipeline, {asked.height.value_or(native), asked.width.value_or(native)}, native,
                          scale, asked.resolution_binning);
  auto& request = out.request;
  request.height = checked_side("the height", out.sizes.generated.height, scale);
  request.width = checked_side("the width", out.sizes.generated.width, scale);

  const float guidance = detail::guidance_of(settings, pipeline, asked);
  if (is_flux && !asked.negatives.empty())
    reject("there is a negative prompt, and ", pipeline.name, " has none; leave it out");
  out.prompt_settings = {.size = out.sizes.generated, .guidance = guidance};
  request.guidance = is_flux ? 1 : guidance;
  request.guidance_rescale = asked.guidance_rescale;
  weft::detail::check_rescale(request.guidance_rescale);
  if (request.guidance_rescale > 0 && !(request.guidance > 1))
    reject("guidance rescale is ", request.guidance_rescale, ", and there is no guidance to rescale",
           is_flux ? ": " + std::string(pipeline.name) + " has one branch"
                   : sentence(", with guidance ", guidance),
           "; use guidance rescale 0");
  if (request.guidance > 1) {
    out.texts = detail::negatives_of(asked);
  } else if (!asked.negatives.empty()) {
    reject("there is a negative prompt, and guidance ", guidance, " is none; raise it above 1");
  }
  out.texts.insert(out.texts.end(), asked.prompts.begin(), asked.prompts.end());

  const SchedulerConfig scheduler = asked.scheduler.empty()
                                        ? scheduler_config(folder.scheduler())
                                        : scheduler_config(asked.scheduler, folder.scheduler());
  request.sampler =
      make_sampler(settings, scheduler, asked.steps.value_or(detail::steps_of(settings, pipeline)),
                   request.height / shape.patch * (request.width / shape.patch));
  request.seed = asked.seed;
  request.reuse = asked.reuse;
  request.noise = asked.noise;
  request.step_noise = asked.step_noise;
  request.stop = asked.stop;
  request.preview_every = asked.preview_every;
  request.preview = asked.preview;
  weft::detail::check_effects(request);
  if (asked.progress)
    request.progress = [progress = asked.progress, steps = static_cast<Index>(request.sampler.size())](
                           Index done) { progress(done, steps); };
  return out;
}

/// Sets the prompts to what was encoded of the texts, in their order.
template <class Settings>
void set_prompts(Generation<Settings>& generation, const Settings& settings,
                 const std::vector<EncodedPrompt>& encoded) {
  auto& request = generation.request;
  const std::size_t negatives = request.guidance > 1 ? encoded.size() / 2 : 0;
  for (std::size_t i = 0; i < encoded.size(); ++i)
    (i < negatives ? request.negatives : request.prompts)
        .push_back(prompt_of(encoded[i], settings, generation.prompt_settings));
}

}  // namespace weft::inline v0_1::pipeline
