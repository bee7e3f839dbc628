#include "image_request.hpp"

#include <string>
#include <vector>

#include "metadata.hpp"
#include "tensors.hpp"
#include "weft/io/json.hpp"

namespace command {

namespace {

using weft::pipeline::ImageRequest;

/// Returns the list of strings in the metadata, as JSON; none if the key is missing.
std::vector<std::string> texts_in(const weft::SafeTensors& file, const std::string& key) {
  const auto at = file.metadata().find(key);
  if (at == file.metadata().end()) return {};
  const weft::Config object("{\"" + key + "\": " + at->second + "}", file.name() + ": the metadata");
  return object.optional_array<std::string>(key);
}

/// Throws InvalidArgument if the metadata or the tensors have what is not read.
void check_names(const weft::SafeTensors& file) {
  check_settings(file,
                 {"prompts", "negative_prompts", "height", "width", "steps", "guidance_scale",
                  "guidance_rescale", "scheduler", "seed"},
                 "generate");
  for (const auto& [name, entry] : file.entries())
    if (name != "latents" && name != "step_noise")
      weft::reject(file.name(), " has the tensor ", name,
                   ", which generate does not read; it reads latents and step_noise");
}

ImageRequest request_in(const weft::SafeTensors& file) {
  check_names(file);
  ImageRequest out{.prompts = texts_in(file, "prompts"), .negatives = texts_in(file, "negative_prompts")};
  const weft::SafeTensors::Metadata& metadata = file.metadata();
  if (metadata.contains("height")) out.height = number_in(file, "height", weft::Index{});
  if (metadata.contains("width")) out.width = number_in(file, "width", weft::Index{});
  if (metadata.contains("steps")) out.steps = number_in(file, "steps", 0);
  if (metadata.contains("guidance_scale")) out.guidance = number_in(file, "guidance_scale", 0.0f);
  out.guidance_rescale = number_in(file, "guidance_rescale", 0.0f);
  if (const auto at = metadata.find("scheduler"); at != metadata.end()) out.scheduler = at->second;
  out.seed = number_in(file, "seed", out.seed);
  if (file.find("latents")) out.noise = finite_tensor(file, "latents");
  if (file.find("step_noise")) out.step_noise = finite_tensor(file, "step_noise");
  out.resolution_binning = false;  // the file's sizes are those of its latents
  return out;
}

ImageRequest request_of(const Options& options) {
  ImageRequest out{.prompts = options.prompts};
  if (options.has("--negative")) out.negatives = {options.negative};
  if (options.height) out.height = *options.height;
  if (options.width) out.width = *options.width;
  out.resolution_binning = options.resolution_binning;
  const Sampling& sampling = options.sampling;
  out.scheduler = sampling.scheduler;
  if (options.has("--steps")) out.steps = sampling.steps;
  if (options.has("--guidance")) out.guidance = sampling.guidance;
  out.guidance_rescale = sampling.guidance_rescale;
  out.seed = sampling.seed;
  if (options.noise) out.noise = finite_tensor(weft::SafeTensors(*options.noise), "noise");
  return out;
}

}  // namespace

ImageRequest image_request(const Options& options) {
  return options.inputs ? request_in(weft::SafeTensors(*options.inputs)) : request_of(options);
}

}  // namespace command
