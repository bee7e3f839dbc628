// PixArt's prompt: the text states of one image, and for α at 1024 px its size.
#pragma once

#include <algorithm>
#include <cstddef>

#include "weft/core/digest.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/pixart/config.hpp"

namespace weft::inline v0_1 {

/// The text states of one image, and for α at 1024 px its size.
struct PixArtPrompt {
  Tensor states;          // (tokens, features)
  Tensor mask;            // (tokens): 1 for a word, 0 for padding, which nothing attends to
  Tensor resolution{};    // (2): height and width in pixels
  Tensor aspect_ratio{};  // (1): height over width

  /// Returns the first stretch of tokens from `from` on that are no padding; empty where there is none.
  Range words(Index from) const {
    const auto is_padding = [](float m) { return m == 0; };
    const auto first = std::find_if_not(mask.data.begin() + from, mask.data.end(), is_padding),
               last = std::find_if(first, mask.data.end(), is_padding);
    return {first - mask.data.begin(), last - mask.data.begin()};
  }
  Index word_count() const {
    return static_cast<Index>(std::ranges::count_if(mask.data, [](float m) { return m != 0; }));
  }

  /// Throws InvalidArgument unless the tensors are whole and their shapes those of the model.
  void check(const PixArtConfig& config) const {
    if (states.shape.size() != 2 || states.shape[1] != config.text_width || !states.is_whole())
      reject("a prompt's encoder_hidden_states is ", to_string(states.shape), " and must be (tokens, ",
             config.text_width, ")");
    if (mask.shape != Shape{states.shape[0]} || !mask.is_whole())
      reject("a prompt's encoder_attention_mask is ", to_string(mask.shape), " and must be ",
             to_string(Shape{states.shape[0]}));
    if (word_count() == 0)
      reject("a prompt's encoder_attention_mask is 0 everywhere; leave 1 token at least");
    if (!config.has_size) return;
    if (resolution.size() != 2 || aspect_ratio.size() != 1)
      reject("a prompt has ", resolution.size(), " numbers of resolution and ", aspect_ratio.size(),
             " of aspect_ratio, and the model needs 2 and 1");
  }
};

inline void add_to(Digest& digest, const PixArtPrompt& prompt) {
  for (const Tensor* tensor : {&prompt.states, &prompt.mask, &prompt.resolution, &prompt.aspect_ratio})
    add_to(digest, *tensor);
}

}  // namespace weft::inline v0_1
