#include "tensors.hpp"

#include <algorithm>

namespace command {

namespace {

/// Returns the extent of the first dimension, or 1 where there is none; reading the tensor rejects that.
weft::Index image_count(const weft::SafeTensors& file, const char* name) {
  const weft::SafeTensors::Entry* entry = file.find(name);
  return entry && !entry->shape.empty() ? entry->shape.front() : 1;
}

}  // namespace

std::vector<weft::HunyuanPrompt> prompts_in(const weft::SafeTensors& file,
                                            const weft::HunyuanConfig& config) {
  const weft::Index count = image_count(file, "encoder_hidden_states");
  const auto read = [&](const char* name, weft::Shape shape) {
    shape.insert(shape.begin(), count);
    return finite(file.tensor(name, shape), file, name);
  };
  const weft::Tensor clip = read("encoder_hidden_states", {config.clip_length, config.clip_width});
  const weft::Tensor clip_mask = read("text_embedding_mask", {config.clip_length});
  const weft::Tensor t5 = read("encoder_hidden_states_t5", {config.t5_length, config.t5_width});
  const weft::Tensor t5_mask = read("text_embedding_mask_t5", {config.t5_length});
  weft::Tensor sizes, styles;
  if (config.size_and_style) {
    sizes = read("image_meta_size", {weft::HunyuanConfig::size_numbers});
    styles = read("style", {});
  }

  std::vector<weft::HunyuanPrompt> prompts;
  for (weft::Index i = 0; i < count; ++i) {
    weft::HunyuanPrompt prompt{clip.at(i), clip_mask.at(i), t5.at(i), t5_mask.at(i), {}, 0};
    if (config.size_and_style) {
      constexpr float far = 1e6;  // beyond every style
      prompt.size = sizes.at(i);
      prompt.style = static_cast<weft::Index>(std::clamp(styles.view<1>()[i], -far, far));
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

}  // namespace command
