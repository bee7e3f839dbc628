// Random prompts, and a sampler whose steps keep the magnitude of the latents.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "../input/archs.hpp"
#include "../input/image_size.hpp"
#include "weft/core/noise.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/pixart/prompt.hpp"

namespace command {

inline weft::Tensor random_tensor(weft::Shape shape, std::uint64_t seed) {
  weft::Tensor out(std::move(shape));
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = weft::normal(seed, 0, i);
  return out;
}

/// Returns a mask that leaves all tokens.
inline weft::Tensor whole_mask(weft::Index tokens) {
  weft::Tensor out({tokens});
  for (float& one : out.data) one = 1;
  return out;
}

/// Return a prompt of `tokens` text tokens; HunyuanDiT's settings fix how many it has.
inline weft::HunyuanPrompt random_prompt(const weft::HunyuanConfig& config, weft::Index, std::uint64_t seed) {
  return {.clip = random_tensor({config.clip_length, config.clip_width}, seed),
          .clip_mask = whole_mask(config.clip_length),
          .t5 = random_tensor({config.t5_length, config.t5_width}, seed + 1),
          .t5_mask = whole_mask(config.t5_length)};
}
inline weft::PixArtPrompt random_prompt(const weft::PixArtConfig& config, weft::Index tokens,
                                        std::uint64_t seed) {
  return {.states = random_tensor({tokens, config.text_width}, seed),
          .mask = whole_mask(tokens),
          .resolution = weft::Tensor({2}, {1024, 1024}),
          .aspect_ratio = weft::Tensor({1}, {1})};
}
template <class Config>
requires std::is_same_v<Config, weft::SD3Config> || std::is_same_v<Config, weft::FluxConfig> weft::JointPrompt
random_prompt(const Config& config, weft::Index tokens, std::uint64_t seed) {
  return {.states = random_tensor({tokens, config.text_width}, seed),
          .pooled = random_tensor({config.pooled_width}, seed + 1),
          .guidance = 3.5f};
}

inline weft::Sampler random_sampler(int steps) {
  weft::Sampler sampler;
  for (int i = 0; i < steps; ++i)
    sampler.push_back({.timestep = static_cast<float>(999 - i),
                       .alpha = 0.9f,
                       .sigma = 0.4f,
                       .keep = 0.5f,
                       .take = 0.5f,
                       .noise = 0.1f});
  return sampler;
}

/// Returns a request for `images` square images of `px` pixels a side, with the architecture's branches of
/// guidance.
template <class Config>
auto random_request(const Config& config, const Arch& arch, int px, int images, int steps) {
  weft::Request<decltype(random_prompt(config, arch.text_tokens, 0))> request;
  for (int i = 0; i < images; ++i) {
    request.prompts.push_back(random_prompt(config, arch.text_tokens, 2));
    if (guidance_branches(config) > 1)
      request.negatives.push_back(random_prompt(config, arch.text_tokens, 4));
  }
  request.height = request.width = px / latent_pixels;
  request.sampler = random_sampler(steps);
  return request;
}

}  // namespace command
