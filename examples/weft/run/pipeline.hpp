// The stages of a pipeline around the model: text to prompts, latents to images.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../input/model_folder.hpp"
#include "../input/work.hpp"
#include "../options/options.hpp"
#include "stages.hpp"
#include "weft/model/lora_weights.hpp"
#include "weft/pipeline/generation.hpp"

namespace command {

/// A request to a pipeline of diffusers.
class Pipeline {
 public:
  /// Checks the options of generate, or the file that --inputs names, and opens the weights, before any text
  /// is encoded. Throws InvalidArgument if they are not valid.
  Pipeline(const Options& options, const ModelFolder& model);

  std::size_t images() const { return images_; }

  /// Returns the work without what text encoders make of the prompts.
  [[nodiscard]] Work outline() const;

  /// Returns a line about the memory of each stage around the transformer. The stages take turns: the text
  /// encoders' memory is free before the transformer is loaded, and the transformer's before the decoder is.
  /// Throws InvalidArgument if one of them takes more than the options leave.
  [[nodiscard]] std::vector<std::string> checked_stages(const Options& options) const;

  /// Encodes all text, and returns the work, once. Throws InvalidArgument if text or an encoder is not valid.
  [[nodiscard]] Work encoded(const Options& options, Stages& stages);

  /// Decodes latents into rank 0's images, of the size that was asked for; empty in other processes. Throws
  /// std::runtime_error if they are not finite.
  [[nodiscard]] weft::Tensor decoded(const Options& options, const LatentBands& latents,
                                     Stages& stages) const;

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
