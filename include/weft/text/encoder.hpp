// TextEncoder: token ids to what a pipeline's transformer reads, by BERT, T5 or CLIP.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <utility>

#include "weft/comm/solo.hpp"
#include "weft/core/error.hpp"
#include "weft/core/progress.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/portion.hpp"
#include "weft/model/weight_loader.hpp"
#include "weft/text/encoded_text.hpp"
#include "weft/text/encoders/distances.hpp"
#include "weft/text/encoders/folder.hpp"
#include "weft/text/encoders/pass.hpp"
#include "weft/text/encoders/weights.hpp"
#include "weft/text/token_ids.hpp"

namespace weft::inline v0_1::text {

/// transformers' BertModel, T5EncoderModel, CLIPTextModel or CLIPTextModelWithProjection, its layers in a
/// backend's memory and its tables of embeddings in their files. Of several slices each has some heads and
/// some hidden features of every layer, and all that is no matrix of a layer. Queues may encode at once.
template <TextBackend BackendType>
class TextEncoder {
 public:
  using Backend = BackendType;
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Loads the model whose model_type, or architectures where there is none, `folder`/config.json names.
  /// Throws InvalidArgument, before any weight is read, if there is none such or the files do not fit it.
  explicit TextEncoder(const std::filesystem::path& folder, TensorSlice slice = {})
      : TextEncoder(std::make_shared<const EncoderFolder>(folder), slice) {}

  /// Loads a model whose files were opened before. `reading` is called with the bytes that are loaded.
  explicit TextEncoder(std::shared_ptr<const EncoderFolder> folder, TensorSlice slice = {},
                       const Progress& reading = {})
      : folder_(std::move(folder)), own_(config().of_slice(slice)) {
    Queue queue;  // ends when all is there
    const WatchedWeights<EncoderFolder> source{*folder_, reading};
    weights_ = WeightLoader<Backend, WatchedWeights<EncoderFolder>>(queue, source, Portion({}, slice), {})
                   .load(
                       [this](auto& loader) {
                         return EncoderWeights<Element>::place(loader, config(), folder_->names());
                       },
                       memory_);
    distances_ = folder_->distances(slice);
  }

  const EncoderConfig& config() const { return folder_->config(); }
  /// Returns the bytes of the weights.
  Index weight_bytes() const { return memory_.bytes.size(); }

  /// Encodes one text. BERT and T5 do not attend to padding, and give its states too; CLIP attends to all
  /// tokens before and passes over the mask. Throws InvalidArgument if the tokens are not of this model's
  /// vocabulary, are too many, or the mask hides some in front of others.
  EncodedText encode(Queue& queue, const TokenIds& tokens) const {
    Solo<Queue> alone;
    return encode(queue, tokens, alone);
  }

  /// Encodes one text together with the other members of `group`, each of which has the slice of its rank:
  /// all call it with the same tokens, and get the same bits. `progress` is called with the layers that are
  /// queued. Throws InvalidArgument if this is another slice, or as above.
  template <Communicator Group>
  EncodedText encode(Queue& queue, const TokenIds& tokens, Group& group,
                     const Progress& progress = {}) const {
    if (const TensorSlice slice = memory_.slice; slice != TensorSlice{group.rank(), group.size()})
      reject("slice ", slice.index, " of ", slice.count, " of a text encoder was given to rank ",
             group.rank(), " of ", group.size(), "; each rank of a group takes the slice of its number");
    folder_->check(tokens);
    const auto size = static_cast<Index>(tokens.ids.size());
    const Index keys = config().is_causal() ? size : std::ranges::count(tokens.mask, Id{1});
    EncoderPass<Backend, Group> pass(queue, group, own_, weights_, size, keys);
    typename Backend::template Buffer<float> bias;
    View<const float, 2> bias_view;
    if (!distances_.empty()) {
      const Tensor numbers = distance_bias(distances_, config().max_distance, size);
      bias = constant<Backend>(queue, numbers);
      bias_view = bias.view(std::array{numbers.shape[0], numbers.shape[1]});
    }

    EncodedText out{.states = {}, .mask = tokens.mask};
    pass.begin(folder_->embedded(tokens.ids));
    for (Index i = 0; i < config().layers; ++i) {
      if (config().pooled() > 0 && i + 1 == config().layers) out.penultimate = pass.states();
      pass.run(i, bias_view);
      if (progress) progress(i + 1, config().layers);
    }
    pass.end();
    out.states = pass.states();
    if (config().pooled() > 0) out.pooled = pooled(pass, out.states, tokens);
    return out;
  }

 private:
  template <class Pass>
  Tensor pooled(const Pass& pass, const Tensor& states, const TokenIds& tokens) const {
    const Index at = folder_->pooled_token(tokens.ids);
    return config().projection > 0 ? pass.projected(states.view<2>()[at]) : states.at(at);
  }

  std::shared_ptr<const EncoderFolder> folder_;
  EncoderConfig own_;  // of the slice
  WeightMemory<Backend> memory_;
  EncoderWeights<Element> weights_;
  Tensor distances_;  // T5's table (buckets, the slice's heads), or empty
};

}  // namespace weft::inline v0_1::text
