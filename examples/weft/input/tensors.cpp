#include "tensors.hpp"

#include <algorithm>

namespace command {

namespace {

/// Returns the extent of the first dimension, or 1 where there is none; reading the tensor rejects that.
weft::Index image_count(const weft::SafeTensors& file, const char* name) {
  const weft::SafeTensors::Entry* entry = file.find(name);
  return entry && !entry->shape.empty() ? entry->shape.front() : 1;
}

/// Returns the text embeddings of joint attention.
std::vector<weft::JointPrompt> joint_prompts_in(const weft::SafeTensors& file, const auto& config) {
  const weft::Index count = image_count(file, "encoder_hidden_states");
  const weft::Tensor states = finite_tensor(file, "encoder_hidden_states");
  if (states.shape.size() != 3)
    weft::reject(file.name(), ": tensor encoder_hidden_states is ", weft::to_string(states.shape),
                 " and must be (images, tokens, ", config.text_width, ")");
  const weft::Tensor pooled =
      finite(file.tensor("pooled_projections", {count, config.pooled_width}), file, "pooled_projections");
  std::vector<weft::JointPrompt> prompts;
  for (weft::Index i = 0; i < count; ++i) {
    prompts.push_back({states.at(i), pooled.at(i)});
    prompts.back().check(config);
  }
  return prompts;
}

}  // namespace

std::vector<weft::PixArtPrompt> prompts_in(const weft::SafeTensors& file, const weft::PixArtConfig& config) {
  const weft::Index count = image_count(file, "encoder_hidden_states");
  const weft::Tensor states = finite_tensor(file, "encoder_hidden_states");
  if (states.shape.size() != 3)
    weft::reject(file.name(), ": tensor encoder_hidden_states is ", weft::to_string(states.shape),
                 " and must be (images, tokens, ", config.text_width, ")");
  const auto read = [&file, count](const char* name, weft::Index size) {
    return finite(file.tensor(name, {count, size}), file, name);
  };
  const weft::Tensor mask = read("encoder_attention_mask", states.shape[1]);
  weft::Tensor resolutions, ratios;
  if (config.has_size) {
    resolutions = read("resolution", 2);
    ratios = read("aspect_ratio", 1);
  }
  std::vector<weft::PixArtPrompt> prompts;
  for (weft::Index i = 0; i < count; ++i) {
    prompts.push_back({.states = states.at(i), .mask = mask.at(i)});
    if (!config.has_size) continue;
    prompts.back().resolution = resolutions.at(i);
    prompts.back().aspect_ratio = ratios.at(i);
  }
  return prompts;
}

std::vector<weft::JointPrompt> prompts_in(const weft::SafeTensors& file, const weft::SD3Config& config) {
  return joint_prompts_in(file, config);
}

std::vector<weft::JointPrompt> prompts_in(const weft::SafeTensors& file, const weft::FluxConfig& config) {
  std::vector<weft::JointPrompt> prompts = joint_prompts_in(file, config);
  if (!config.embeds_guidance || !file.find("guidance")) return prompts;
  const weft::Tensor guidance =
      finite(file.tensor("guidance", {static_cast<weft::Index>(prompts.size())}), file, "guidance");
  for (std::size_t i = 0; i < prompts.size(); ++i) prompts[i].guidance = guidance.data[i];
  return prompts;
}

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
