// PipelineModels: a pipeline's weights, for all ranks that share the memory of one device.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "weft/core/progress.hpp"
#include "weft/model/lora_weights.hpp"
#include "weft/model/portion.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/pipeline/check_weights.hpp"
#include "weft/pipeline/folder.hpp"
#include "weft/pipeline/prompts.hpp"
#include "weft/text/prompt_encoders.hpp"
#include "weft/vae/autoencoder_kl.hpp"

namespace weft::inline v0_1 {

struct PipelineSettings {
  std::vector<Range> blocks{};                 // of the transformer that ranks here run; none: all
  TensorSlice slice{};                         // of these blocks' matrices; by default they are whole
  std::vector<Lora> loras{};                   // merged into the transformer
  std::optional<Index> max_sequence_length{};  // of T5's prompts, in tokens; unset: the pipeline's
  Progress reading{};                          // called with the bytes of the transformer that are loaded
};

/// The transformer and the autoencoder stay in memory, and text encoders only while they encode. Ranks may
/// use it at once.
template <class ModelType>
class PipelineModels {
 public:
  using Model = ModelType;
  using Backend = typename Model::Backend;
  using Encoders = text::PromptEncoders<Backend>;

  /// Reads the folder, as diffusers stores it. Throws InvalidArgument if a part is missing, not valid or of
  /// another model, and, before any weight is read, if the current device's memory does not hold them.
  explicit PipelineModels(const std::filesystem::path& folder, const PipelineSettings& settings = {})
      : folder_(folder),
        encoders_(folder, settings.max_sequence_length),
        transformer_(
            checked_settings({settings.blocks, settings.slice}),
            WatchedWeights<LoraWeights>{LoraWeights(folder_.transformer(), settings.loras), settings.reading},
            {settings.blocks, settings.slice}),
        autoencoder_(folder_.autoencoder()) {
    folder_.check(transformer_.shape());
  }

  const pipeline::PipelineFolder& folder() const { return folder_; }
  const Encoders& encoders() const { return encoders_; }
  const Model& transformer() const { return transformer_; }
  const AutoencoderKL<Backend>& autoencoder() const { return autoencoder_; }

 private:
  typename Model::Settings checked_settings(const Portion& portion) const {
    const typename Model::Settings out(Config::read(folder_.transformer() / "config.json"));
    pipeline::check_encoders(encoders_, out);
    pipeline::check_weights<Model>(folder_, out, portion, static_cast<double>(Backend::free_memory().bytes));
    return out;
  }

  pipeline::PipelineFolder folder_;
  Encoders encoders_;
  Model transformer_;
  AutoencoderKL<Backend> autoencoder_;
};

}  // namespace weft::inline v0_1
