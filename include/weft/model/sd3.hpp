// Stable Diffusion 3 and 3.5: Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image
// Synthesis", 2024; weights and names are those of diffusers' SD3Transformer2DModel.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weft/model/joint/conditioning.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/loaded_model.hpp"
#include "weft/model/sd3/weights.hpp"

namespace weft::inline v0_1 {

template <class BackendType>
class SD3 : public LoadedModel<BackendType, SD3Config, sd3::Weights<BackendType>> {
  using Base = LoadedModel<BackendType, SD3Config, sd3::Weights<BackendType>>;

 public:
  using Base::config;
  using typename Base::Backend;
  using typename Base::Element;
  using typename Base::Queue;
  using Prompt = JointPrompt;
  using Conditioning = joint::Conditioning<Backend>;
  using Base::Base;  // from a folder, or of any source

  void check(const Prompt& prompt) const { prompt.check(config()); }
  /// Throws InvalidArgument if the image has more tokens along a side than the stored table of positions.
  void check(const ImageShape& image) const {
    const Index most = config().positions;
    if (image.rows() > most || image.columns() > most)
      reject("the image is ", image.rows(), " × ", image.columns(),
             " tokens, and the model has positions for ", most, " along a side; ", most * config().patch,
             " elements of the latents would do");
  }
  Index prefix(const Prompt& prompt) const { return prompt.states.shape[0]; }

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    Conditioning out = joint::allocated<Backend>(queue, share, times.shape[0], weights().shared.layers,
                                                 config().blocks, modulation_layers());
    out.positions = positions(queue, share);
    refill(queue, prompts, times, out);
    return out;
  }

  /// Overwrites a conditioning with that of other prompts, as long as its own.
  void refill(Queue& queue, std::span<const Prompt> prompts, const Tensor& times, Conditioning& out) const {
    joint::refill<Backend>(queue, weights().shared.layers, modulation_layers(), prompts, times, out);
  }

  /// Returns what `condition` and `refill` have computed of this rank's slice alone.
  std::vector<View<float, 2>> sliced_constants(const Conditioning& conditioning) const {
    return joint::sliced_constants<Backend>(modulation_layers(), conditioning);
  }

  /// Returns the embeddings of times, without the prompts' part: (times, width).
  Tensor embed_times(Queue& queue, std::span<const float> times) const {
    return embedded_sinusoids<Backend>(queue, weights().shared.layers.time, times);
  }

  /// latents (image tokens, images, features) → tokens (tokens, images, width), of which the first are the
  /// text's.
  void embed(auto& context, const Conditioning& conditioning, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    const Range text = context.prefix_rows(), image{text.end, context.rows().end};
    conditioning.put_text(context.queue(), text, tokens);
    if (latents.empty()) return;
    const View<Element, 3> positions = conditioning.positions.view(
        std::array{conditioning.positions.size() / (tokens.extent[1] * tokens.extent[2]), tokens.extent[1],
                   tokens.extent[2]});
    linear(context.queue(), rows_of(latents), weights().shared.layers.image_in,
           rows_of(tokens.template slice<0>({text.size(), tokens.extent[0]})),
           {.residual = rows_of(View<const Element, 3>(
                positions.template slice<0>(image + -conditioning.text().extent[0])))});
  }

  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    joint::BlockRun(context, weights().blocks[static_cast<std::size_t>(i)], config().head_dim,
                    conditioning.modulations, {2 * i, 2 * i + 1}, {}, x, out)();
  }

  /// tokens (image tokens, images, width) → prediction (image tokens, images, features).
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    if (tokens.empty()) return;
    const View<Element, 3> normed = context.scratch().take(tokens.extent);
    norm(context.queue(), tokens, {},
         conditioning.modulations.modulation(2 * config().blocks, 1, 0, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights().shared.layers.proj_out, rows_of(prediction));
  }

 private:
  using Base::weights;

  auto modulation_layers() const {
    return [this](Index i) -> joint::ModulationLayers<Backend> {
      const joint::Block<Backend>& block = weights().blocks[static_cast<std::size_t>(i)];
      return {&block.image.modulation, &block.text.modulation};
    };
  }

  static Rows image_rows(const Share& share) {
    return share.rows.within({share.prefix, share.prefix + share.image.tokens()});
  }

  /// Returns the positions of the share's image tokens, from the middle of the stored table: (image rows,
  /// images, width).
  typename Conditioning::Buffer positions(Queue& queue, const Share& share) const {
    const Index side = config().positions, columns = share.image.columns(), images = share.images,
                width = config().width(), top = (side - share.image.rows()) / 2, left = (side - columns) / 2;
    const Rows own = image_rows(share);
    typename Conditioning::Buffer out(queue, own.size() * images * width);
    const View<Element, 3> to = out.view(std::array{own.size(), images, width});
    for (Index m = 0; m < own.patches(); ++m)
      for (Range run = own.tokens(m); !run.empty(); run = {run.end, own.tokens(m).end}) {
        run.end = std::min(run.end, (run.begin / columns + 1) * columns);  // of one of the image's rows
        const Index at = (top + run.begin / columns) * side + left + run.begin % columns;
        const View<const float, 2> table =
            weights().shared.positions.template slice<0>({at, at + run.size()});
        copy(queue, View<const float, 3>(table.data, {run.size(), images, width}, {table.stride[0], 0, 1}),
             to.template slice<0>(own.rows_of_tokens(m, run)));
      }
    return out;
  }
};

}  // namespace weft::inline v0_1
