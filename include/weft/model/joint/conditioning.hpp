// What of a model with joint attention is constant over a run.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "weft/model/dit.hpp"
#include "weft/model/embeddings.hpp"
#include "weft/model/joint/block.hpp"
#include "weft/model/joint/text.hpp"
#include "weft/model/modulations.hpp"
#include "weft/model/rotation_table.hpp"

namespace weft::inline v0_1::joint {

/// The layers before and after the blocks that models with joint attention share.
template <class Backend>
struct Surroundings {
  using Element = typename Backend::Element;

  LinearWeights<Element> image_in, text_in, norm_out, proj_out;
  Mlp<Element> time, pooled, guidance{};  // guidance: of models with embedded guidance
};

template <class Backend>
struct Conditioning {
  using Element = typename Backend::Element;
  using Buffer = typename Backend::template Buffer<Element>;

  Share share;  // whose constants these are
  Index width;
  Buffer text_memory;                  // (prefix rows, images, width)
  Buffer positions;                    // (image rows, images, width), or none
  RotationTable<Backend> rotations{};  // or none
  Modulations<Backend> modulations;    // as Slots numbers them

  /// Returns the embedded text: (prefix rows, images, width).
  View<Element, 3> text() const {
    return text_memory.view(std::array{share.prefix_rows().size(), share.images, width});
  }

  /// Copies the text at hand to the rows of x (tokens, images, width) that are its.
  void put_text(auto& queue, Range rows, const View<Element, 3>& x) const {
    if (rows.empty()) return;
    copy(queue, View<const Element, 3>(text().template slice<0>(rows)),
         x.template slice<0>({0, rows.size()}));
  }
};

/// Returns SiLU of a time's, the pooled text's and the guidance's embedding: (steps · images, width).
template <class Backend>
typename Backend::template Buffer<typename Backend::Element> embedded_times(
    typename Backend::Queue& queue, const Surroundings<Backend>& layers, std::span<const JointPrompt> prompts,
    const Tensor& times) {
  using Element = typename Backend::Element;
  using Buffer = typename Backend::template Buffer<Element>;
  const Index steps = times.shape[0], images = times.shape[1], width = layers.time.outputs();
  const Buffer constant_part(queue, images * width), all(queue, steps * images * width);
  const View<Element, 2> of_images = constant_part.view(std::array{images, width});
  apply<Backend>(queue, layers.pooled, Activation::silu, pooled_texts(prompts), of_images);
  if (layers.guidance.first.weight.data) {
    std::vector<float> scales;
    for (const JointPrompt& prompt : prompts) scales.push_back(1000 * prompt.guidance);
    apply_to_sinusoids<Backend>(queue, layers.guidance, scales, of_images, true);
  }
  const View<Element, 2> rows = all.view(std::array{steps * images, width});
  copy(queue, View<const Element, 3>(of_images.data, {steps, images, width}, {0, width, 1}),
       all.view(std::array{steps, images, width}));
  apply_to_sinusoids<Backend>(queue, layers.time, times.data, rows, true);
  return activated<Backend>(queue, rows);
}

/// A block's layers of modulation: the image's and the text's, or null.
template <class Backend>
using ModulationLayers = std::array<const ModulationLayer<Backend>*, 2>;

/// Calls body(slot, layer) for every layer of the share's blocks: of block i slots 2i and 2i + 1.
template <class LayersOf, class Body>
void for_each_modulation(const Share& share, const LayersOf& layers_of, const Body& body) {
  for (const Range& range : share.blocks)
    for (Index i = range.begin; i < range.end; ++i) {
      const auto layers = layers_of(i);
      for (std::size_t part = 0; part < layers.size(); ++part)
        if (layers[part]) body(2 * i + static_cast<Index>(part), *layers[part]);
    }
}

/// Takes the memory of `steps` steps of a model of so many blocks, whose layers layers_of(i) returns; the
/// modulations' last slot is the last norm's. The model adds positions or rotations.
template <class Backend, class LayersOf>
Conditioning<Backend> allocated(typename Backend::Queue& queue, const Share& share, Index steps,
                                const Surroundings<Backend>& surroundings, Index blocks,
                                const LayersOf& layers_of) {
  const Index width = surroundings.image_in.outputs();
  std::vector<Index> vectors(static_cast<std::size_t>(2 * blocks), 0);
  for_each_modulation(share, layers_of, [&vectors, width](Index slot, const auto& layer) {
    vectors[static_cast<std::size_t>(slot)] = layer.outputs / width;
  });
  vectors.push_back(surroundings.norm_out.outputs() / width);
  return {.share = share,
          .width = width,
          .text_memory = {queue, share.prefix_rows().size() * share.images * width},
          .positions = {},
          .modulations = {queue, vectors, steps, share.images, width}};
}

/// Overwrites a conditioning with that of prompts as long as its own, at `times` (steps, images). Of a
/// block's modulations it computes what the layers here put out; `sliced_constants` are then to be completed.
template <class Backend, class LayersOf>
void refill(typename Backend::Queue& queue, const Surroundings<Backend>& surroundings,
            const LayersOf& layers_of, std::span<const JointPrompt> prompts, const Tensor& times,
            Conditioning<Backend>& out) {
  embed_text<Backend>(queue, out.share, prompts, surroundings.text_in, out.text());
  const auto embedding = embedded_times<Backend>(queue, surroundings, prompts, times);
  const View<const typename Backend::Element, 2> x(embedding.view(std::array{times.size(), out.width}));
  for_each_modulation(out.share, layers_of, [&queue, &x, &out](Index slot, const auto& layer) {
    linear(queue, x, layer.layer, out.modulations.outputs(slot).template slice<1>(layer.held));
  });
  linear(queue, x, surroundings.norm_out, out.modulations.outputs(out.modulations.last()));
}

/// Returns the modulations of the share's blocks: (steps · images, features).
template <class Backend, class LayersOf>
std::vector<View<float, 2>> sliced_constants(const LayersOf& layers_of, const Conditioning<Backend>& of) {
  std::vector<View<float, 2>> out;
  for_each_modulation(of.share, layers_of,
                      [&of, &out](Index slot, const auto&) { out.push_back(of.modulations.outputs(slot)); });
  return out;
}

}  // namespace weft::inline v0_1::joint
