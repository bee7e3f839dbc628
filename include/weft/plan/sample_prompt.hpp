// Prompts of the shapes that models take, for planning: all of their numbers are 0 but those of masks.
#pragma once

#include <algorithm>

#include "weft/model/flux/config.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/sd3/config.hpp"

namespace weft::inline v0_1::planner {

namespace detail {

inline Tensor ones(Index size) {
  Tensor out({size});
  std::ranges::fill(out.data, 1.0f);
  return out;
}

}  // namespace detail

/// Text tokens of a prompt that diffusers' pipeline makes: of FLUX.1-dev, PixArt-Σ, SD3 (77 + 256).
inline constexpr Index flux_text = 512, pixart_text = 300, sd3_text = 333;

/// HunyuanDiT's text has the length of its settings.
inline HunyuanPrompt sample_prompt(const HunyuanConfig& config) {
  return {.clip = Tensor({config.clip_length, config.clip_width}),
          .clip_mask = detail::ones(config.clip_length),
          .t5 = Tensor({config.t5_length, config.t5_width}),
          .t5_mask = detail::ones(config.t5_length),
          .size = Tensor({HunyuanConfig::size_numbers})};
}
inline PixArtPrompt sample_prompt(const PixArtConfig& config, Index text = pixart_text) {
  return {.states = Tensor({text, config.text_width}),
          .mask = detail::ones(text),
          .resolution = Tensor({2}),
          .aspect_ratio = Tensor({1})};
}
inline JointPrompt sample_prompt(const SD3Config& config, Index text = sd3_text) {
  return {.states = Tensor({text, config.text_width}), .pooled = Tensor({config.pooled_width})};
}
inline JointPrompt sample_prompt(const FluxConfig& config, Index text = flux_text) {
  return {.states = Tensor({text, config.text_width}), .pooled = Tensor({config.pooled_width})};
}

}  // namespace weft::inline v0_1::planner
