// The stages of a pipeline around the model: text to prompts, latents to images. Each one's weights are in
// memory only while it runs.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <variant>

#include "../input/model_folder.hpp"
#include "../input/work.hpp"
#include "../options/options.hpp"
#include "weft/core/trace.hpp"
#include "weft/model/lora_weights.hpp"
#include "weft/pipeline/generation.hpp"

namespace command {

/// A request to a pipeline of diffusers, on the host, with threads of this process as ranks.
class Pipeline {
 public:
  /// Checks the options of generate, or the file that --inputs names, and opens the weights, before any text
  /// is encoded. Throws InvalidArgument if they are not valid.
  Pipeline(const Options& options, const ModelFolder& model);

  std::size_t images() const { return images_; }

  /// Encodes all text, and returns the work, once. Throws InvalidArgument if text or an encoder is not valid.
  [[nodiscard]] Work encoded(const Options& options, weft::Trace* trace);

  /// Decodes latents into images of the size that was asked for.
  [[nodiscard]] weft::Tensor decoded(const Options& options, const weft::Tensor& latents,
                                     weft::Trace* trace) const;

 private:
  template <class... Settings>
  static std::variant<weft::pipeline::Generation<Settings>...> generations(const std::variant<Settings...>&);

  weft::pipeline::PipelineFolder folder_;
  ModelSettings settings_;
  decltype(generations(std::declval<ModelSettings>())) generation_;
  weft::pipeline::ImageSizes sizes_;
  std::unique_ptr<const weft::LoraWeights> weights_;
  std::size_t images_ = 0;
};

}  // namespace command
