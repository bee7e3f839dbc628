// Tensors and settings in a file that a user made.
#pragma once

#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "weft/io/safetensors.hpp"
#include "weft/model/hunyuan/prompt.hpp"

namespace command {

/// The tensor if it holds neither infinities nor NaN, otherwise rejected.
inline weft::Tensor finite(weft::Tensor tensor, const weft::SafeTensors& file, const char* name) {
  for (const float value : tensor.data)
    if (!std::isfinite(value))
      weft::reject(file.name(), ": tensor ", name, " holds ", value, ", and only finite numbers are of use");
  return tensor;
}

inline weft::Tensor finite_tensor(const weft::SafeTensors& file, const char* name) {
  return finite(file.tensor(name), file, name);
}

/// The number in the metadata, or `fallback` if there is none.
template <class Number>
Number number_in(const weft::SafeTensors& file, const char* key, Number fallback) {
  const auto at = file.metadata().find(key);
  if (at == file.metadata().end()) return fallback;
  const std::string& text = at->second;
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    weft::reject(file.name(), ": the metadata say ", key, " ", text, ", which is not a number that fits");
  return number;
}

/// The text states of images side by side, with their sizes and styles where the model reads those.
std::vector<weft::HunyuanPrompt> prompts_in(const weft::SafeTensors& file, const weft::HunyuanConfig& config);

}  // namespace command
