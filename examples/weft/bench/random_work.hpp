// Random prompts, and a sampler whose steps keep the magnitude of the latents.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "../input/image_size.hpp"
#include "weft/core/noise.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/hunyuan/prompt.hpp"

namespace command {

inline weft::Tensor random_tensor(weft::Shape shape, std::uint64_t seed) {
  weft::Tensor out(std::move(shape));
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = weft::normal(seed, 0, i);
  return out;
}

inline weft::HunyuanPrompt random_prompt(const weft::HunyuanConfig& config, std::uint64_t seed) {
  weft::Tensor clip_mask({config.clip_length}), t5_mask({config.t5_length});
  for (weft::Tensor* mask : {&clip_mask, &t5_mask}) std::fill(mask->data.begin(), mask->data.end(), 1.0f);
  return {.clip = random_tensor({config.clip_length, config.clip_width}, seed),
          .clip_mask = clip_mask,
          .t5 = random_tensor({config.t5_length, config.t5_width}, seed + 1),
          .t5_mask = t5_mask};
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

/// Returns a request for `images` square images of `px` pixels a side, with guidance.
inline weft::Request<weft::HunyuanPrompt> random_request(const weft::HunyuanConfig& config, int px,
                                                         int images, int steps) {
  weft::Request<weft::HunyuanPrompt> request;
  for (int i = 0; i < images; ++i) {
    request.prompts.push_back(random_prompt(config, 2));
    request.negatives.push_back(random_prompt(config, 4));
  }
  request.height = request.width = px / latent_pixels;
  request.sampler = random_sampler(steps);
  return request;
}

}  // namespace command
