#include "pipeline.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "../cuda/encode.hpp"
#include "../input/image_request.hpp"
#include "../output/stopwatch.hpp"
#include "decode.hpp"
#include "run.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/pipeline/resized.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace command {

namespace {

namespace pipeline = weft::pipeline;

EncodedTexts encode_on_threads(const Options& options, const std::vector<std::string>& texts,
                               weft::Trace* trace) {
  const weft::text::PromptEncoders<weft::Host> encoders(options.model, options.max_sequence_length);
  EncodedTexts encoded;
  weft::launch(options.world(),
               [&encoders, &texts, &encoded](weft::threads::World& world) {
                 EncodedTexts own = encoders.encode(texts, world);
                 if (world.rank() == 0) encoded = std::move(own);
               },
               {.trace = trace});
  return encoded;
}

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
  if (options.launched)
    weft::reject("generate runs text encoders and the autoencoder in one process, whose ranks are threads; ",
                 "start it without ", options.launched->launcher);
  const pipeline::ImageRequest asked = image_request(options);
  images_ = asked.prompts.size();
  std::visit(
      [this, &options, &asked](const auto& settings) {
        auto generation = pipeline::generation_of(folder_, settings, asked);
        check_options(options, generation.request);
        sizes_ = generation.sizes;
        generation_ = std::move(generation);
      },
      settings_);
  weights_ = std::make_unique<const weft::LoraWeights>(model.transformer(), options.loras);
  print_sizes(asked, folder_.native_side(), sizes_);
}

Work Pipeline::encoded(const Options& options, weft::Trace* trace) {
  return std::visit(
      [this, &options, trace]<class Settings>(pipeline::Generation<Settings> generation) -> Work {
        Stopwatch watch;
        const EncodedTexts encoded = options.backend == Backend::host
                                         ? encode_on_threads(options, generation.texts, trace)
                                         : encode_on_cuda(options, generation.texts);
        pipeline::set_prompts(generation, std::get<Settings>(settings_), encoded);
        watch.lap("encode, " + extent_of(options, 0));
        return {WorkOf<pipeline::PromptOf<Settings>>(std::move(generation.request)), std::move(weights_)};
      },
      generation_);
}

weft::Tensor Pipeline::decoded(const Options& options, const weft::Tensor& latents,
                               weft::Trace* trace) const {
  Stopwatch watch;
  weft::Tensor images = command::decoded(options, folder_.autoencoder(), latents, trace);
  images = pipeline::covering(images, sizes_.final);
  watch.lap("decode, " + extent_of(options, 0));
  return images;
}

}  // namespace command
