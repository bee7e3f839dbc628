#include "work.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "image_size.hpp"
#include "tensors.hpp"

namespace command {

namespace {

void set_sampling(Request& request, const Sampling& sampling, const weft::Config& scheduler) {
  if (!std::isfinite(sampling.guidance))
    weft::reject("guidance is ", sampling.guidance, " and must be a finite number; 5 is usual");
  if (!(0 <= sampling.guidance_rescale && sampling.guidance_rescale <= 1))
    weft::reject("guidance rescale is ", sampling.guidance_rescale, " and must be from 0 to 1");
  request.sampler = sampling.scheduler.empty()
                        ? weft::make_sampler(scheduler, sampling.steps)
                        : weft::make_sampler(sampling.scheduler, scheduler, sampling.steps);
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
void check_seed(const Options& options, const Request& request) {
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
void set_prompts(Request& request, const std::vector<weft::HunyuanPrompt>& embeddings,
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

}  // namespace

Request request_of_captions(const Options& options, const ModelFolder& model) {
  Request request;
  set_sampling(request, options.sampling, model.scheduler());
  request.height = side("the height", options.height, model);
  request.width = side("the width", options.width, model);
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

Request request_in_file(const std::filesystem::path& path, const ModelFolder& model) {
  const weft::SafeTensors file(path);
  Request request;
  set_sampling(request, sampling_in(file), model.scheduler(file.metadata()));
  request.noise = finite_tensor(file, "latents");
  if (request.noise.shape.size() != 4)
    weft::reject(file.name(), ": tensor latents is ", weft::to_string(request.noise.shape),
                 " and must be (images, channels, height, width)");
  request.height = request.noise.shape[2];
  request.width = request.noise.shape[3];
  if (file.find("step_noise")) request.step_noise = finite_tensor(file, "step_noise");

  set_prompts(request, prompts_in(file, model.config()), file);
  return request;
}

Evaluation evaluation_in_file(const std::filesystem::path& path, const ModelFolder& model) {
  const weft::SafeTensors file(path);
  return {.prompts = prompts_in(file, model.config()),
          .latents = finite_tensor(file, "hidden_states"),
          .times = finite_tensor(file, "timestep")};
}

Work work_of(const Options& options, const ModelFolder& model) {
  switch (options.command) {
    case Command::forward:
      return evaluation_in_file(*options.inputs, model);
    case Command::denoise:
      return request_in_file(*options.inputs, model);
    default:
      return request_of_captions(options, model);
  }
}

}  // namespace command
