// Goldens of the models beside HunyuanDiT, whatever the backend: tests/goldens.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "golden.hpp"
#include "weft/model/flux.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"

/// Row i of a tensor of the inputs.
inline weft::Tensor row_of(const weft::SafeTensors& inputs, const char* name, weft::Index i) {
  return inputs.tensor(name).at(i);
}

inline void fill(weft::JointPrompt& prompt, const weft::SafeTensors& inputs, weft::Index i) {
  prompt.states = row_of(inputs, "encoder_hidden_states", i);
  prompt.pooled = row_of(inputs, "pooled_projections", i);
  if (inputs.find("guidance")) prompt.guidance = inputs.tensor("guidance").data[static_cast<std::size_t>(i)];
  if (inputs.metadata().contains("guidance_scale"))
    prompt.guidance = std::stof(inputs.metadata().at("guidance_scale"));
}

inline void fill(weft::PixArtPrompt& prompt, const weft::SafeTensors& inputs, weft::Index i) {
  prompt.states = row_of(inputs, "encoder_hidden_states", i);
  prompt.mask = row_of(inputs, "encoder_attention_mask", i);
  if (!inputs.find("resolution")) return;
  prompt.resolution = row_of(inputs, "resolution", i);
  prompt.aspect_ratio = row_of(inputs, "aspect_ratio", i);
}

template <class Model>
std::vector<typename Model::Prompt> prompts_in(const weft::SafeTensors& inputs) {
  std::vector<typename Model::Prompt> out(
      static_cast<std::size_t>(inputs.tensor("encoder_hidden_states").shape[0]));
  for (std::size_t i = 0; i < out.size(); ++i) fill(out[i], inputs, static_cast<weft::Index>(i));
  return out;
}

/// Packed latents (images, tokens, features) as (images, channels, height, width).
inline weft::Tensor unpacked(const weft::Tensor& packed, weft::Index height, weft::Index width) {
  const weft::ImageShape image{packed.shape[2] / 4, height, width, 2};
  weft::Tensor out({packed.shape[0], image.channels, height, width});
  std::size_t at = 0;
  for (weft::Index p = 0; p < packed.shape[0]; ++p)
    for (weft::Index t = 0; t < image.tokens(); ++t)
      for (weft::Index f = 0; f < image.features(); ++f)
        out.data[static_cast<std::size_t>(image.element(p, t, f))] = packed.data[at++];
  return out;
}

/// A folder of goldens of one model.
template <class Model>
struct ModelGolden {
  using Prompt = typename Model::Prompt;
  static constexpr bool is_packed = requires(const Model& model) { model.config().embeds_guidance; };

  std::filesystem::path folder;
  Model model;
  Slices<Model> slices{folder / "model/transformer"};

  explicit ModelGolden(const std::string& name)
      : folder(std::filesystem::path(WEFT_GOLDENS_DIR) / name), model(folder / "model/transformer") {}

  weft::SafeTensors file(const std::string& name) const {
    return weft::SafeTensors(folder / (name + ".safetensors"));
  }

  weft::Evaluation<Prompt> evaluation(const std::string& name) const {
    const weft::SafeTensors inputs = file(name + "_inputs");
    weft::Evaluation<Prompt> out{prompts_in<Model>(inputs), inputs.tensor("hidden_states"),
                                 inputs.tensor("timestep")};
    if constexpr (is_packed) {  // whose times run from 0 to 1
      out.latents = state(inputs, out.latents);
      for (float& time : out.times.data) time *= 1000;
    }
    return out;
  }
  weft::Tensor sample(const std::string& name) const {
    const weft::Tensor sample = file(name + "_expected").tensor("sample");
    if constexpr (is_packed) return state(file(name + "_inputs"), sample);
    return sample;
  }

  weft::Request<Prompt> request(const std::string& loop) const {
    const weft::SafeTensors inputs = file(loop + "_inputs");
    const auto setting = [&](const char* name) { return inputs.metadata().at(name); };
    std::vector<Prompt> prompts = prompts_in<Model>(inputs);
    weft::Request<Prompt> out;
    out.prompts = {prompts.back()};
    out.noise = inputs.tensor("latents");
    out.height = out.noise.shape[2], out.width = out.noise.shape[3];
    const weft::Index patch = model.shape().patch;
    out.sampler =
        weft::make_sampler(setting("scheduler"), scheduler(inputs), std::stoi(setting("steps")),
                           {.tokens = out.height / patch * (out.width / patch), .spaces_sigmas = is_packed});
    if (prompts.size() == 2) {
      out.negatives = {prompts.front()};
      out.guidance = std::stof(setting("guidance_scale"));
    }
    return out;
  }

  /// The model's, with what the metadata say instead.
  weft::Config scheduler(const weft::SafeTensors& inputs) const {
    weft::Config out = weft::Config::read(folder / "model/scheduler/scheduler_config.json");
    for (const char* key : {"beta_end", "set_alpha_to_one", "clip_sample"}) {
      const auto at = inputs.metadata().find(std::string("scheduler.") + key);
      if (at == inputs.metadata().end()) continue;
      const std::string value = at->second == "True" ? "true" : at->second == "False" ? "false" : at->second;
      out.take(key, weft::Config("{\"" + std::string(key) + "\": " + value + "}", "the inputs"));
    }
    return out;
  }

 private:
  static weft::Tensor state(const weft::SafeTensors& inputs, const weft::Tensor& packed) {
    return unpacked(packed, std::stoi(inputs.metadata().at("latent_height")),
                    std::stoi(inputs.metadata().at("latent_width")));
  }
};

inline void change(weft::JointPrompt& prompt) {
  for (float& number : prompt.states.data) number *= -0.5f;
  prompt.pooled.data.front() += 1;
}

/// Other words, and as many as were padding.
inline void change(weft::PixArtPrompt& prompt) {
  for (float& number : prompt.states.data) number *= -0.5f;
  for (float& word : prompt.mask.data) word = 1 - word;
  if (prompt.word_count() == 0) prompt.mask.data.back() = 1;
  for (float& pixels : prompt.resolution.data) pixels += 64;
}

/// Returns a request of the same shape with other prompts.
template <class Prompt>
weft::Request<Prompt> with_other_prompts(weft::Request<Prompt> request) {
  for (auto* prompts : {&request.prompts, &request.negatives})
    for (Prompt& prompt : *prompts) change(prompt);
  return request;
}
