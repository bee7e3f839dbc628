// ImageRequest: what a pipeline is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/tensor.hpp"
#include "weft/engine/request.hpp"
#include "weft/policy/reuse.hpp"

namespace weft::inline v0_1::pipeline {

/// Unset values are the pipeline's own in diffusers; all ranks are given the same.
struct ImageRequest {
  std::vector<std::string> prompts;          // UTF-8, one an image
  std::vector<std::string> negatives{};      // one for all prompts or one for each; none: the empty prompt
  std::optional<Index> height{}, width{};    // in pixels
  std::optional<bool> resolution_binning{};  // see image_sizes
  std::string scheduler{};                   // such as "dpmpp"; empty: the folder's
  std::optional<int> steps{};
  std::optional<float> guidance{};
  float guidance_rescale = 0;
  std::uint64_t seed = 0;
  Reuse reuse{};        // steps that leave blocks out, by the policy StepCache
  Tensor noise{};       // (prompts, channels, height, width) of the latents to start from; empty: drawn
  Tensor step_noise{};  // (steps, prompts, channels, height, width); empty: drawn
  Progress progress{};  // called on rank 0 after every step, with the finished steps
  Progress encoding{}, decoding{};  // called on rank 0 before and after the steps, in units of their own
  Index preview_every = 0;          // steps between previews; 0: none
  std::function<void(Index done, const Tensor& latents)> preview{};  // called on rank 0
  std::stop_token stop{};  // asked to stop, by any rank's, all ranks throw Cancelled before the next step
};

/// Returns what ranks compare before they read text; the rest they compare when it is read.
inline InputSummary summary_of(const ImageRequest& request) {
  InputSummary out("request");
  const auto add = [&out](std::string_view name, const std::vector<std::string>& texts) {
    out.add(sentence(name, "s"), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      out.add_contents(sentence(name, " ", i), std::string_view(texts[i]));
  };
  add("prompt", request.prompts);
  add("negative prompt", request.negatives);
  out.add("height", request.height.value_or(-1));
  out.add("width", request.width.value_or(-1));
  out.add("scheduler", request.scheduler);
  out.add("steps", request.steps.value_or(-1));
  out.add("reuse in", to_string(request.reuse));
  out.add("guidance", request.guidance.value_or(-1));
  out.add(request.stop.stop_possible() ? "a way to stop" : "no way to stop");
  out.add("steps between previews", request.preview_every);
  out.add(weft::detail::has_idle_preview(request) ? "a preview at no step" : "no preview at no step");
  return out;
}

}  // namespace weft::inline v0_1::pipeline
