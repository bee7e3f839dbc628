// HunyuanDiT's prompt.
#pragma once

#include <string_view>

#include "weft/core/digest.hpp"
#include "weft/io/word_table.hpp"
#include "weft/model/hunyuan/config.hpp"

namespace weft::inline v0_1 {

/// The text states of one image, and for v1.1 its size and style.
struct HunyuanPrompt {
  Tensor clip;       // (clip_length, clip_width)
  Tensor clip_mask;  // (clip_length): 1 for a word, 0 for padding
  Tensor t5;         // (t5_length, t5_width)
  Tensor t5_mask;    // (t5_length)
  Tensor size{};     // (6): original height and width, target height and width, crop top and left; v1.1 only
  Index style = 0;

  /// Throws InvalidArgument unless the tensors have the shapes of the model and as many numbers.
  void check(const HunyuanConfig& config) const {
    const auto need = [](const char* name, const Tensor& tensor, const Shape& shape) {
      if (tensor.shape != shape)
        reject("a prompt's ", name, " is ", to_string(tensor.shape), " and the model needs ",
               to_string(shape));
      if (!tensor.is_whole())
        reject("a prompt's ", name, " is ", to_string(shape), " and has ", tensor.size(), " numbers");
    };
    need("encoder_hidden_states", clip, {config.clip_length, config.clip_width});
    need("text_embedding_mask", clip_mask, {config.clip_length});
    need("encoder_hidden_states_t5", t5, {config.t5_length, config.t5_width});
    need("text_embedding_mask_t5", t5_mask, {config.t5_length});
    if (!config.size_and_style) return;
    need("image_meta_size", size, {HunyuanConfig::size_numbers});
    if (style != 0) reject("a prompt's style is ", style, ", and the model has the style 0 alone");
  }
};

inline void add_to(Digest& digest, const HunyuanPrompt& prompt) {
  for (const Tensor* tensor : {&prompt.clip, &prompt.clip_mask, &prompt.t5, &prompt.t5_mask, &prompt.size})
    add_to(digest, *tensor);
  add_to(digest, prompt.style);
}

/// Makes the prompt of a caption for models that were trained with a word table; `size` is for v1.1. Throws
/// InvalidArgument if a word is not in the table.
[[nodiscard]] inline HunyuanPrompt prompt_of(const WordTable& words, std::string_view caption,
                                             const Tensor& size = {}) {
  const auto [clip, t5, mask] = words.encode(caption);
  return {.clip = clip, .clip_mask = mask, .t5 = t5, .t5_mask = mask, .size = size};
}

}  // namespace weft::inline v0_1
