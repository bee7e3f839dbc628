// Tensors and settings in a file of inputs.
#pragma once

#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "model_settings.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/pixart/prompt.hpp"

namespace command {

/// Returns the tensor. Throws InvalidArgument if it holds an infinity or NaN.
inline weft::Tensor finite(weft::Tensor tensor, const weft::SafeTensors& file, const char* name) {
  for (const float value : tensor.data)
    if (!std::isfinite(value))
      weft::reject(file.name(), ": tensor ", name, " holds ", value, " and must be finite");
  return tensor;
}

inline weft::Tensor finite_tensor(const weft::SafeTensors& file, const char* name) {
  return finite(file.tensor(name), file, name);
}

/// Returns the number in the metadata, or `fallback` if the key is missing. Throws InvalidArgument for text.
template <class Number>
Number number_in(const weft::SafeTensors& file, const char* key, Number fallback) {
  const auto at = file.metadata().find(key);
  if (at == file.metadata().end()) return fallback;
  const std::string& text = at->second;
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    weft::reject(file.name(), ": the metadata have ", key, " ", text, ", which is not a number that fits");
  return number;
}

/// Return a text embedding for each image of the batch, with what else the model reads of it. FLUX's
/// evaluations have the tensor `guidance`; its loops have guidance_scale in the metadata.
[[nodiscard]] std::vector<weft::HunyuanPrompt> prompts_in(const weft::SafeTensors& file,
                                                          const weft::HunyuanConfig& config);
[[nodiscard]] std::vector<weft::PixArtPrompt> prompts_in(const weft::SafeTensors& file,
                                                         const weft::PixArtConfig& config);
[[nodiscard]] std::vector<weft::JointPrompt> prompts_in(const weft::SafeTensors& file,
                                                        const weft::SD3Config& config);
[[nodiscard]] std::vector<weft::JointPrompt> prompts_in(const weft::SafeTensors& file,
                                                        const weft::FluxConfig& config);

}  // namespace command
