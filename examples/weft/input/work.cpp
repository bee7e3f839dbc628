#include "work.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "image_size.hpp"
#include "metadata.hpp"
#include "packed.hpp"
#include "tensors.hpp"
#include "weft/pipeline/sampler.hpp"

namespace command {

namespace {

/// Returns the settings of the scheduler that is asked for, or else of the folder's own.
weft::SchedulerConfig scheduler_of(const Sampling& sampling, const weft::Config& scheduler) {
  return sampling.scheduler.empty() ? weft::scheduler_config(scheduler)
                                    : weft::scheduler_config(sampling.scheduler, scheduler);
}

template <class Prompt, class Settings>
weft::Index tokens_of(const weft::Request<Prompt>& request, const Settings& settings) {
  const weft::Index patch = settings.shape().patch;
  return request.height / patch * (request.width / patch);
}

/// Sets what the request, which has its size, is to be sampled by.
template <class Prompt, class Settings>
void set_sampling(weft::Request<Prompt>& request, const Settings& settings, const Sampling& sampling,
                  const weft::SchedulerConfig& scheduler) {
  if (!std::isfinite(sampling.guidance))
    weft::reject("guidance is ", sampling.guidance, " and must be a finite number; 5 is usual");
  if (!(0 <= sampling.guidance_rescale && sampling.guidance_rescale <= 1))
    weft::reject("guidance rescale is ", sampling.guidance_rescale, " and must be from 0 to 1");
  request.sampler =
      weft::pipeline::make_sampler(settings, scheduler, sampling.steps, tokens_of(request, settings));
  request.guidance = sampling.guidance;
  request.guidance_rescale = sampling.guidance_rescale;
  request.seed = sampling.seed;
}

/// Returns a side of the image in elements of the latents.
weft::Index side(const char* name, const std::optional<int>& pixels, const ModelFolder& model) {
  const PixelScale scale = model.pixel_scale();
  return checked_side(name, pixels ? *pixels : model.sample_size() * scale.pixels_per_element, scale);
}

/// Throws InvalidArgument if a seed is given and the scheduler draws no noise.
void check_seed(const Options& options, const weft::Request<weft::HunyuanPrompt>& request) {
  const auto draws = [](const auto& step) { return step.noise != 0; };
  if (options.has("--seed") && options.noise && std::ranges::none_of(request.sampler, draws))
    weft::reject(
        "--seed applies to noise that is drawn, and here --noise gives the only one, since the scheduler "
        "adds none; omit --seed");
}

/// Returns HunyuanDiT's `image_meta_size` for an image that is not cropped.
weft::Tensor size_numbers(weft::Index height, weft::Index width) {
  const auto h = static_cast<float>(height), w = static_cast<float>(width);
  return {{weft::HunyuanConfig::size_numbers}, {h, w, h, w, 0, 0}};
}

Sampling sampling_in(const weft::SafeTensors& file) {
  Sampling sampling;
  if (const auto at = file.metadata().find("scheduler"); at != file.metadata().end())
    sampling.scheduler = at->second;
  sampling.steps = number_in(file, "steps", sampling.steps);
  sampling.guidance = number_in(file, "guidance_scale", sampling.guidance);
  sampling.guidance_rescale = number_in(file, "guidance_rescale", sampling.guidance_rescale);
  sampling.seed = number_in(file, "seed", sampling.seed);
  return sampling;
}

/// Sets the prompts: one text embedding an image, after as many negative ones where guidance needs them.
template <class Prompt>
void set_prompts(weft::Request<Prompt>& request, const std::vector<Prompt>& embeddings,
                 const weft::SafeTensors& file) {
  const auto images = static_cast<std::size_t>(request.noise.shape.front());
  if (embeddings.size() != images && embeddings.size() != 2 * images)
    weft::reject(file.name(), " has ", embeddings.size(), " text embeddings for ", images,
                 images == 1 ? " image" : " images",
                 " and must have one for each, or before those as many negative ones");
  if (embeddings.size() == images && request.guidance > 1)
    weft::reject(file.name(), " has no negative text embeddings, which guidance ", request.guidance,
                 " needs; put as many before the others, or set guidance_scale to 1 in the metadata");
  const auto first = embeddings.end() - static_cast<std::ptrdiff_t>(images);
  request.negatives.assign(embeddings.begin(), first);
  request.prompts.assign(first, embeddings.end());
}

/// Throws InvalidArgument if the metadata have a `mu` that is not what the scheduler makes of the image's
/// tokens.
void check_shift(const weft::SafeTensors& file, const weft::SchedulerConfig& scheduler, weft::Index tokens) {
  if (!file.metadata().contains("mu")) return;
  const auto* const flow = std::get_if<weft::FlowMatchConfig>(&scheduler);
  if (!flow || !flow->is_dynamic)
    weft::reject(file.name(), " has mu, and its scheduler does not shift by the image's tokens; omit mu");
  const double mu = number_in(file, "mu", 0.0), own = weft::dynamic_shift(*flow, tokens);
  if (!(std::abs(mu - own) <= 1e-4 * std::max(1.0, std::abs(own))))
    weft::reject(file.name(), " has mu ", mu, ", and its scheduler shifts an image of ", tokens,
                 " tokens by ", own, "; set scheduler.base_shift and scheduler.max_shift, and omit mu");
}

/// Makes guidance an input of the model: FLUX's dev embeds its scale, and neither has a negative branch.
void embed_guidance(weft::Request<weft::JointPrompt>& request, std::vector<weft::JointPrompt>& embeddings,
                    const weft::FluxConfig& settings, const weft::SafeTensors& file) {
  if (!settings.embeds_guidance && request.guidance > 1)
    weft::reject(file.name(), " has guidance_scale ", request.guidance,
                 ", and this model has no guidance; set it to 0 in the metadata");
  for (weft::JointPrompt& prompt : embeddings) prompt.guidance = request.guidance;
  request.guidance = 1;
}

weft::Request<weft::HunyuanPrompt> request_of_captions(const Options& options, const ModelFolder& model) {
  const weft::HunyuanConfig& settings = model.hunyuan("generate without text encoders");
  for (const char* option : {"--inputs", "--max-sequence-length", "--resolution-binning"})
    if (options.has(option))
      weft::reject(option, " applies to a pipeline with text encoders, and ", model.path().string(),
                   " has none; omit ", option);
  weft::Request<weft::HunyuanPrompt> request;
  request.height = side("the height", options.height, model);
  request.width = side("the width", options.width, model);
  set_sampling(request, settings, options.sampling, scheduler_of(options.sampling, model.scheduler()));
  check_seed(options, request);
  const weft::Index scale = model.pixel_scale().pixels_per_element;
  const weft::Tensor size = size_numbers(request.height * scale, request.width * scale);
  const weft::WordTable words = model.words();
  for (const std::string& caption : options.prompts)
    request.prompts.push_back(prompt_of(words, caption, size));
  request.negatives.assign(request.prompts.size(), prompt_of(words, options.negative, size));
  if (options.noise) request.noise = finite_tensor(weft::SafeTensors(*options.noise), "noise");
  return request;
}

/// Returns the request with the latents and text embeddings of a file, and the settings in its metadata.
template <class Settings>
auto request_in_file(const weft::SafeTensors& file, const ModelFolder& model, const Settings& settings) {
  constexpr bool is_flux = std::is_same_v<Settings, weft::FluxConfig>;
  auto embeddings = prompts_in(file, settings);
  weft::Request<typename decltype(embeddings)::value_type> request;
  request.noise = finite_tensor(file, "latents");
  if (request.noise.shape.size() != 4)
    weft::reject(file.name(), ": tensor latents is ", weft::to_string(request.noise.shape),
                 " and must be (images, channels, height, width)");
  request.height = request.noise.shape[2];
  request.width = request.noise.shape[3];
  const Sampling sampling = sampling_in(file);
  const weft::SchedulerConfig scheduler = scheduler_of(sampling, model.scheduler(file.metadata()));
  set_sampling(request, settings, sampling, scheduler);
  check_shift(file, scheduler, tokens_of(request, settings));
  if (file.find("step_noise")) request.step_noise = finite_tensor(file, "step_noise");
  if constexpr (is_flux) embed_guidance(request, embeddings, settings, file);
  set_prompts(request, embeddings, file);
  return request;
}

/// Returns one evaluation of the tensors of a file.
template <class Settings>
auto evaluation_in_file(const weft::SafeTensors& file, const Settings& settings) {
  auto prompts = prompts_in(file, settings);
  weft::Evaluation<typename decltype(prompts)::value_type> out{
      std::move(prompts), finite_tensor(file, "hidden_states"), finite_tensor(file, "timestep")};
  if constexpr (std::is_same_v<Settings, weft::FluxConfig>) {  // packed, and with times from 0 to 1
    const weft::Index height = number_in(file, "latent_height", 0),
                      width = number_in(file, "latent_width", 0);
    if (out.latents.shape !=
        weft::Shape{out.latents.shape.front(), height / 2 * (width / 2), settings.features()})
      weft::reject(file.name(), ": tensor hidden_states is ", weft::to_string(out.latents.shape),
                   " and must be (images, tokens, ", settings.features(),
                   "), with latent_height × latent_width ÷ 4 tokens, which the metadata have");
    out.latents = unpacked(out.latents, height, width);
    for (float& time : out.times.data) time *= 1000;
  }
  return out;
}

}  // namespace

Work work_of(const Options& options, const ModelFolder& model) {
  if (options.command == Command::generate)
    return {WorkOf<weft::HunyuanPrompt>(request_of_captions(options, model))};
  const weft::SafeTensors file(*options.inputs);
  check_settings(file, options.command, model.settings());
  return std::visit(
      [&options, &model, &file](const auto& settings) -> Work {
        using Prompt = typename decltype(prompts_in(file, settings))::value_type;
        if (options.command == Command::forward) return {WorkOf<Prompt>(evaluation_in_file(file, settings))};
        return {WorkOf<Prompt>(request_in_file(file, model, settings))};
      },
      model.settings());
}

}  // namespace command
