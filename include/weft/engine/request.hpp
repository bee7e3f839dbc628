// Request, Evaluation: the inputs of an engine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/image.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/dit.hpp"
#include "weft/sampler/samplers.hpp"

namespace weft::inline v0_1 {

/// Images to be generated from prompts by the whole denoising loop.
template <class Prompt>
struct Request {
  std::vector<Prompt> prompts;
  std::vector<Prompt> negatives{};  // one for each prompt, or none
  Index height = 0, width = 0;      // of the latents, in elements
  Sampler sampler{};
  float guidance = 5;          // scale of classifier-free guidance; none at 1 and below, as in diffusers
  float guidance_rescale = 0;  // as in diffusers, from 0 (off) to 1; must be 0 without guidance
  std::uint64_t seed = 0;
  Tensor noise{};       // (prompts, channels, height, width) to start from; empty: drawn from the seed
  Tensor step_noise{};  // (steps, prompts, channels, height, width); empty: drawn from the seed
  std::function<void(Index)> progress{};  // called on rank 0 with the number of finished steps

  /// Returns how many branches of guidance a step evaluates: 2, or 1 if no negatives are given or guidance is
  /// 1 or less.
  Index branches() const { return !negatives.empty() && guidance > 1 ? 2 : 1; }
};

/// The properties of a request that determine its memory and recorded work. Requests of the same shape can
/// use each other's; all ranks see the same shape, and so decide alike whether they do.
struct RequestShape {
  bool denoises = true;  // false: evaluates the model once
  Index height = 0, width = 0;
  Index prefix = 0;          // tokens before the image's
  bool has_padding = false;  // whether some prompt's are padding in part
  Index prompts = 0;
  Index branches = 1;
  Index steps = 1;
  bool rescales = false;        // whether the guided prediction is rescaled
  bool thresholds = false;      // whether any step's bound is a quantile
  bool is_noisy = false;        // whether any step adds noise
  bool is_given_noise = false;  // whether the request holds the noise of the steps

  friend constexpr bool operator==(const RequestShape&, const RequestShape&) = default;
};

/// One evaluation of the model on a batch of images, each with its own timestep.
template <class Prompt>
struct Evaluation {
  std::vector<Prompt> prompts;
  Tensor latents;  // (prompts, channels, height, width)
  Tensor times;    // (prompts)
};

namespace detail {

/// Returns the shape of the latents. Throws InvalidArgument unless the sides are whole numbers of patches.
inline ImageShape image_of(const DitShape& model, Index height, Index width) {
  const auto side = [&model](const char* name, Index size) {
    if (size < model.patch || size % model.patch != 0)
      reject("the ", name, " of the state is ", size, " and must be a multiple of the patch's ", model.patch,
             "; ", std::max((size + model.patch / 2) / model.patch, Index{1}) * model.patch, " would do");
  };
  side("height", height);
  side("width", width);
  return {model.channels, height, width, model.patch};
}

/// Throws InvalidArgument unless the settings of guidance fit together.
template <class Prompt>
void check_guidance(const Request<Prompt>& request) {
  if (!request.negatives.empty() && request.negatives.size() != request.prompts.size())
    reject("the request has ", request.prompts.size(), " prompts and ", request.negatives.size(),
           " negative prompts; give one for each, or none");
  if (!std::isfinite(request.guidance))
    reject("guidance is ", request.guidance, " and must be a finite number; 5 is usual");
  if (!(0 <= request.guidance_rescale && request.guidance_rescale <= 1))
    reject("guidance rescale is ", request.guidance_rescale, " and must be from 0 to 1");
  if (request.guidance_rescale > 0 && request.branches() == 1)
    reject("guidance rescale is ", request.guidance_rescale, ", and there is no guidance to rescale, with ",
           request.negatives.empty() ? "no negative prompts" : sentence("guidance ", request.guidance),
           "; use guidance rescale 0, or guidance above 1 with negative prompts");
}

/// Returns whether any prompt has padding among its tokens.
template <class Model, class Prompt>
bool has_padding(const Model& model, const std::vector<Prompt>& prompts) {
  return std::ranges::any_of(prompts, [&model](const Prompt& prompt) {
    return valid_prefix_of(model, prompt) < prefix_of(model, prompt);
  });
}

template <class Model, class Prompt>
RequestShape shape_of(const Model& model, const Request<Prompt>& request) {
  return {.height = request.height,
          .width = request.width,
          .prefix = prefix_of(model, request.prompts.front()),
          .has_padding = has_padding(model, request.prompts) || has_padding(model, request.negatives),
          .prompts = static_cast<Index>(request.prompts.size()),
          .branches = request.branches(),
          .steps = static_cast<Index>(request.sampler.size()),
          .rescales = request.guidance_rescale != 0,
          .thresholds = std::ranges::any_of(request.sampler, &SamplerStep::has_quantile),
          .is_noisy =
              std::ranges::any_of(request.sampler, [](const SamplerStep& step) { return step.noise != 0; }),
          .is_given_noise = !request.step_noise.empty()};
}

template <class Model, class Prompt>
RequestShape shape_of(const Model& model, const Evaluation<Prompt>& evaluation) {
  return {.denoises = false,
          .height = evaluation.latents.shape[2],
          .width = evaluation.latents.shape[3],
          .prefix = prefix_of(model, evaluation.prompts.front()),
          .has_padding = has_padding(model, evaluation.prompts),
          .prompts = static_cast<Index>(evaluation.prompts.size())};
}

/// Returns how many tokens stand before the images'. Throws InvalidArgument where prompts have different
/// numbers.
template <class Model, class Prompt>
Index common_prefix(const Model& model, const std::vector<Prompt>& prompts,
                    const std::vector<Prompt>& negatives = {}) {
  const Index prefix = prefix_of(model, prompts.front());
  for (const std::vector<Prompt>* some : {&prompts, &negatives})
    for (const Prompt& prompt : *some) {
      if (prefix_of(model, prompt) != prefix)
        reject("a prompt has ", prefix_of(model, prompt), " tokens and the first one ", prefix,
               "; pad all prompts of a request to one length");
      const Index valid = valid_prefix_of(model, prompt);
      if (valid < 0 || valid > prefix)
        reject("a prompt has ", valid, " valid tokens of ", prefix, "; give 0 to ", prefix);
    }
  return prefix;
}

/// Throws InvalidArgument unless the tensor has that shape, and as many numbers.
inline void need_shape(const char* name, const Tensor& tensor, const Shape& shape) {
  if (tensor.shape != shape)
    reject("the ", name, " is ", to_string(tensor.shape), " and must be ", to_string(shape));
  if (!tensor.is_whole())
    reject("the ", name, " is ", to_string(shape), " and has ", tensor.size(), " numbers");
}

}  // namespace detail

}  // namespace weft::inline v0_1
