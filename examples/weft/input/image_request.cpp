#include "image_request.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

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
  constexpr std::array<std::string_view, 9> settings{
      "prompts",        "negative_prompts", "height",    "width", "steps",
      "guidance_scale", "guidance_rescale", "scheduler", "seed"};
  constexpr std::array<std::string_view, 2> tensors{"latents", "step_noise"};
  const auto check = [&file](const auto& named, const auto& known, const char* kind) {
    for (const auto& [name, value] : named)
      if (std::ranges::count(known, std::string_view(name)) == 0)
        weft::reject(file.name(), " has the ", kind, " ", name, ", which generate does not read; it reads ",
                     weft::listed(std::vector<std::string>(known.begin(), known.end())));
  };
  check(file.metadata(), settings, "setting");
  check(file.entries(), tensors, "tensor");
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
