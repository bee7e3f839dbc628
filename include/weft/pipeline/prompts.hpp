// Prompts of every model, of what the text encoders of its pipeline make of a text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weft/model/flux/config.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/sd3/config.hpp"
#include "weft/pipeline/image_size.hpp"
#include "weft/text/encoded_text.hpp"

namespace weft::inline v0_1::pipeline {

/// A text by the encoders' folders, such as "text_encoder_2".
using EncodedPrompt = std::map<std::string, text::EncodedText>;

/// What prompts hold beside text.
struct PromptSettings {
  PixelSize size{};    // at which the image is generated
  float guidance = 0;  // that a model with embedded guidance is told
};

namespace detail {

/// Returns what one encoder made of a text. Throws InvalidArgument if the pipeline has no such encoder.
inline const text::EncodedText& encoding(const EncodedPrompt& text, const std::string& folder) {
  const auto at = text.find(folder);
  if (at == text.end()) reject("the text was not encoded by ", folder, "/, which this model needs");
  return at->second;
}

inline Tensor mask_of(const text::EncodedText& text) {
  Tensor mask({static_cast<Index>(text.mask.size())});
  std::ranges::transform(text.mask, mask.data.begin(), [](auto id) { return static_cast<float>(id); });
  return mask;
}

/// Copies `from` (rows, columns) to `to` at (row, column). Throws InvalidArgument, with `name`, if it has no
/// room.
inline void place(const Tensor& from, Tensor& to, Index row, Index column, std::string_view name) {
  const auto shape = from.shape.size() == 2 ? from.shape : Shape{0, 0};
  if (shape[0] == 0 || row + shape[0] > to.shape[0] || column + shape[1] > to.shape[1])
    reject("the states of ", name, " are ", weft::to_string(from.shape), " and do not fit at row ", row,
           " and column ", column, " of the model's text of ", weft::to_string(to.shape));
  for (Index i = 0; i < shape[0]; ++i)
    std::copy_n(from.view<2>()[i].data, shape[1], to.view<2>()[row + i].data + column);
}

inline Tensor joined(std::initializer_list<const Tensor*> vectors) {
  std::vector<float> values;
  for (const Tensor* vector : vectors) values.insert(values.end(), vector->data.begin(), vector->data.end());
  const auto size = static_cast<Index>(values.size());
  return {{size}, std::move(values)};
}

}  // namespace detail

/// Makes HunyuanDiT's prompt: BERT's states and T5's, with their masks; v1.1 is told that the image was 1024
/// by 1024 pixels and is not cropped.
[[nodiscard]] inline HunyuanPrompt prompt_of(const EncodedPrompt& text, const HunyuanConfig&,
                                             const PromptSettings& settings) {
  const text::EncodedText &bert = detail::encoding(text, "text_encoder"),
                          &t5 = detail::encoding(text, "text_encoder_2");
  const auto height = static_cast<float>(settings.size.height),
             width = static_cast<float>(settings.size.width);
  return {.clip = bert.states,
          .clip_mask = detail::mask_of(bert),
          .t5 = t5.states,
          .t5_mask = detail::mask_of(t5),
          .size = {{HunyuanConfig::size_numbers}, {1024, 1024, height, width, 0, 0}}};
}

/// Makes PixArt's prompt: T5's states and mask, and for α at 1024 px the image's size.
[[nodiscard]] inline PixArtPrompt prompt_of(const EncodedPrompt& text, const PixArtConfig& config,
                                            const PromptSettings& settings) {
  const text::EncodedText& t5 = detail::encoding(text, "text_encoder");
  PixArtPrompt out{.states = t5.states, .mask = detail::mask_of(t5)};
  if (!config.has_size) return out;
  const auto height = static_cast<float>(settings.size.height),
             width = static_cast<float>(settings.size.width);
  out.resolution = {{2}, {height, width}};
  out.aspect_ratio = {{1}, {height / width}};
  return out;
}

/// Makes SD3's prompt: the penultimate states of both CLIPs side by side, filled up with zeros to T5's width;
/// below them T5's, or zeros without T5; pooled, both CLIPs' vectors.
[[nodiscard]] inline JointPrompt prompt_of(const EncodedPrompt& text, const SD3Config& config,
                                           const PromptSettings&) {
  constexpr Index t5_length = 256;
  const text::EncodedText &l = detail::encoding(text, "text_encoder"),
                          &g = detail::encoding(text, "text_encoder_2");
  const auto t5 = text.find("text_encoder_3");
  const Index clip_tokens = l.penultimate.shape.empty() ? 0 : l.penultimate.shape.front();
  const Index t5_tokens = t5 == text.end() ? t5_length : t5->second.states.shape.front();
  JointPrompt out{.states = Tensor({clip_tokens + t5_tokens, config.text_width}),
                  .pooled = detail::joined({&l.pooled, &g.pooled})};
  detail::place(l.penultimate, out.states, 0, 0, "text_encoder/");
  detail::place(g.penultimate, out.states, 0, l.penultimate.shape.back(), "text_encoder_2/");
  if (t5 != text.end()) detail::place(t5->second.states, out.states, clip_tokens, 0, "text_encoder_3/");
  return out;
}

/// Makes FLUX's prompt: T5's states and CLIP's pooled vector.
[[nodiscard]] inline JointPrompt prompt_of(const EncodedPrompt& text, const FluxConfig&,
                                           const PromptSettings& settings) {
  return {.states = detail::encoding(text, "text_encoder_2").states,
          .pooled = detail::encoding(text, "text_encoder").pooled,
          .guidance = settings.guidance};
}

/// Throws InvalidArgument unless a model of these settings reads what the text encoders make.
template <class Encoders, class Settings>
void check_encoders(const Encoders& encoders, const Settings& settings) {
  prompt_of(encoders.blank(), settings, PromptSettings{}).check(settings);
}

}  // namespace weft::inline v0_1::pipeline
