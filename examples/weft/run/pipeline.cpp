#include "pipeline.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "../input/image_request.hpp"
#include "../output/bar.hpp"
#include "../output/stopwatch.hpp"
#include "../plan/stage_memory.hpp"
#include "run.hpp"
#include "weft/backend/host.hpp"
#include "weft/pipeline/resized.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace command {

namespace {

namespace pipeline = weft::pipeline;

/// Throws InvalidArgument if an option has no effect on this request.
template <class Prompt>
void check_options(const Options& options, const weft::Request<Prompt>& request) {
  const auto draws = [](const auto& step) { return step.noise != 0; };
  if (options.has("--seed") && options.noise && std::ranges::none_of(request.sampler, draws))
    weft::reject(
        "--seed applies to noise that is drawn, and here --noise gives the only one, since the scheduler "
        "adds none; omit --seed");
}

/// Prints the size at which images are generated where it is not the one that was asked for.
void print_sizes(const pipeline::ImageRequest& asked, weft::Index native, const pipeline::ImageSizes& sizes) {
  const pipeline::PixelSize wanted{asked.height.value_or(native), asked.width.value_or(native)};
  if (wanted == sizes.generated) return;
  std::printf("size: %s is generated where %s was asked for%s\n", to_string(sizes.generated).c_str(),
              to_string(wanted).c_str(), sizes.final == wanted ? ", and then resized and cropped to it" : "");
}

}  // namespace

Pipeline::Pipeline(const Options& options, const ModelFolder& model)
    : folder_(model.path()),
      settings_(model.settings()),
      generation_(pipeline::Generation<weft::HunyuanConfig>{}) {
  const pipeline::ImageRequest asked = image_request(options);
  images_ = asked.prompts.size();
  std::visit(
      [this, &options, &asked](const auto& settings) {
        auto generation = pipeline::generation_of(folder_, settings, asked);
        check_options(options, generation.request);
        const weft::text::PromptEncoders<weft::Host> encoders(options.model, options.max_sequence_length);
        pipeline::check_encoders(encoders, settings);
        sizes_ = generation.sizes;
        generation_ = std::move(generation);
      },
      settings_);
  weights_ = std::make_unique<const weft::LoraWeights>(model.transformer(), options.loras);
  if (options.prints()) print_sizes(asked, folder_.native_side(), sizes_);
}

Work Pipeline::outline() const {
  return std::visit(
      [this]<class Settings>(const pipeline::Generation<Settings>& generation) -> Work {
        weft::Request<pipeline::PromptOf<Settings>> request = generation.request;
        request.prompts.resize(images_);
        if (generation.texts.size() > images_) request.negatives.resize(images_);
        return {WorkOf<pipeline::PromptOf<Settings>>(std::move(request)), nullptr};
      },
      generation_);
}

std::vector<std::string> Pipeline::checked_stages(const Options& options) const {
  const auto world = static_cast<int>(options.world());
  return std::visit(
      [this, &options, world](const auto& generation) {
        std::vector<std::string> lines{checked_stage(
            options, {"text encoders", encoder_memory(options.model, options.max_sequence_length,
                                                      options.dtype, generation.texts, options.mesh)})};
        if (options.has_images())
          lines.push_back(checked_stage(
              options, {.name = "decoder",
                        .ranks = decoder_memory(folder_.autoencoder_config(), options.backend, options.dtype,
                                                generation.request.height, generation.request.width, world),
                        .shares_weights = true}));
        return lines;
      },
      generation_);
}

Work Pipeline::encoded(const Options& options, Stages& stages) {
  return std::visit(
      [this, &options, &stages]<class Settings>(pipeline::Generation<Settings> generation) -> Work {
        Stopwatch watch(options.prints());
        const EncodedTexts texts =
            with_bar("encoding", options.prints(), [&](const weft::Progress& progress) {
              return stages.encode(options, generation.texts, progress);
            });
        pipeline::set_prompts(generation, std::get<Settings>(settings_), texts);
        watch.lap("encode, " + extent_of(options, 0));
        return {WorkOf<pipeline::PromptOf<Settings>>(std::move(generation.request)), std::move(weights_)};
      },
      generation_);
}

weft::Tensor Pipeline::decoded(const Options& options, const LatentBands& latents, Stages& stages) const {
  Stopwatch watch(options.prints());
  weft::Tensor images = with_bar("decoding", options.prints(), [&](const weft::Progress& progress) {
    return stages.decode(options, folder_.autoencoder(), latents, progress);
  });
  if (images.empty()) return images;
  check_finite(images);
  images = pipeline::covering(images, sizes_.final);
  watch.lap("decode, " + extent_of(options, 0));
  return images;
}

}  // namespace command
