// Request, Evaluation: the inputs of an engine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <vector>

#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/grid.hpp"
#include "weft/core/image.hpp"
#include "weft/core/spans.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/dit.hpp"
#include "weft/policy/reuse.hpp"
#include "weft/sampler/guidance.hpp"
#include "weft/sampler/samplers.hpp"

namespace weft::inline v0_1 {

/// Images to be generated from prompts by the whole denoising loop.
template <class Prompt>
struct Request {
  static constexpr float default_guidance = 5;

  std::vector<Prompt> prompts;
  std::vector<Prompt> negatives{};  // one for each prompt, or none
  Index frames = 1;                 // of the latents; more of models that generate videos
  Index height = 0, width = 0;      // of the latents, in elements
  Sampler sampler{};
  /// Scale of classifier-free guidance; none at 1 and below, as in diffusers. Another one than the default
  /// needs negatives.
  float guidance = default_guidance;
  float guidance_rescale = 0;  // as in diffusers, from 0 (off) to 1; must be 0 without guidance
  std::uint64_t seed = 0;      // must be 0 if no noise is drawn
  Reuse reuse{};               // steps that leave blocks out, by the policy StepCache
  Tensor noise{};              // (prompts, channels, height, width) to start from; empty: drawn from the seed
  Tensor step_noise{};         // (steps, prompts, channels, height, width); empty: drawn from the seed
  std::function<void(Index)> progress{};  // called on rank 0 with the number of finished steps
  /// Once any rank's is asked to stop, all throw Cancelled before the next step. With one that can be asked,
  /// ranks compare it after every step, for which a device waits.
  std::stop_token stop{};
  Index preview_every = 0;  // steps between previews; 0: none
  /// Called on rank 0 with the number of finished steps and the latents then, as `generate` returns them.
  std::function<void(Index, const Tensor&)> preview{};

  Extent extent() const { return {frames, height, width}; }

  /// Returns the guidance of these negatives and this scale.
  ClassifierFree<Prompt> classifier_free() const { return {negatives, guidance}; }
  /// Returns how many branches of classifier-free guidance a step evaluates: 2, or 1 if no negatives are
  /// given or guidance is 1 or less.
  Index branches() const { return classifier_free().branches(); }
};

/// The properties of a request that determine its memory and recorded work. Requests of the same shape can
/// use each other's; all ranks see the same shape, and so decide alike whether they do.
struct RequestShape {
  bool denoises = true;  // false: evaluates the model once
  Extent extent{};
  Index prefix = 0;          // tokens before the image's
  bool has_padding = false;  // whether some prompt's are padding in part
  Index text_tokens = 0;     // beside the sequence, of the longest prompt
  Index prompts = 0;
  std::string_view guidance{};  // its name
  Index branches = 1;
  Index scales = 0;  // of guidance, at a step
  Index steps = 1;
  Reuse reuse{};
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
  Tensor
      latents;   // (prompts, channels, height, width), of a video (prompts, channels, frames, height, width)
  Tensor times;  // (prompts)

  /// Returns the branches that a mesh of so many ranks along Axis::data has for those along Axis::cfg:
  /// without guidance they share the images.
  Index branches(int data) const {
    return std::max(static_cast<Index>(prompts.size()) / std::max(data, 1), Index{1});
  }
};

namespace detail {

/// Returns the size of latents of one image or video.
inline Extent extent_of(const Tensor& latents) {
  const Shape& shape = latents.shape;
  const std::size_t last = shape.size() - 1;
  return {shape.size() > 4 ? shape[last - 2] : 1, shape[last - 1], shape[last]};
}

/// Returns the shape of an image's latents. Throws InvalidArgument unless the sides are whole numbers of
/// patches.
inline ImageShape image_of(const DitShape& model, const Extent& extent) {
  if (extent.frames != 1)
    reject("the state has ", extent.frames, " frames, and the model generates images; use 1");
  const auto side = [&model](const char* name, Index size) {
    if (size < model.patch || size % model.patch != 0)
      reject("the ", name, " of the state is ", size, " and must be a multiple of the patch's ", model.patch,
             "; ", std::max((size + model.patch / 2) / model.patch, Index{1}) * model.patch, " would do");
  };
  side("height", extent.height);
  side("width", extent.width);
  return {model.channels, extent.height, extent.width, model.patch};
}

/// Returns the grid of the model's state. Throws InvalidArgument if the model has none of this size.
template <class Model>
GridOf<Model> grid_of(const Model& model, const Extent& extent) {
  if constexpr (HasGrid<Model>) {
    return model.grid(extent);
  } else {
    return image_of(model.shape(), extent);
  }
}

/// Returns the shape of a tensor of `count` states.
template <Grid G>
Shape shape_of(const G& grid, Index count) {
  Shape out{count};
  for (const Index extent : grid.extents()) out.push_back(extent);
  return out;
}

template <class G, class Prompt>
constexpr bool is_classifier_free = std::is_same_v<G, ClassifierFree<Prompt>>;

inline bool is_noisy(const Sampler& sampler) {
  return std::ranges::any_of(sampler, [](const SamplerStep& step) { return step.noise != 0; });
}

/// Returns whether `asked`, a request to an engine or to a pipeline, has a preview that no step calls.
bool has_idle_preview(const auto& asked) { return asked.preview && asked.preview_every == 0; }

/// Throws InvalidArgument if a setting that does not depend on prompts has no effect.
template <class Prompt>
void check_effects(const Request<Prompt>& request) {
  const bool draws = request.noise.empty() || (is_noisy(request.sampler) && request.step_noise.empty());
  if (request.seed != 0 && !draws)
    reject("the seed is ", request.seed,
           ", and no noise is drawn, since the request has all that its sampler adds; use seed 0");
  if (request.preview_every < 0 || has_idle_preview(request))
    reject("there are ", request.preview_every,
           " steps between previews; use 1 or more, or 0 and no preview");
}

/// Throws InvalidArgument unless the guidance rescale is from 0 to 1.
inline void check_rescale(float rescale) {
  if (!(0 <= rescale && rescale <= 1)) reject("guidance rescale is ", rescale, " and must be from 0 to 1");
}

/// Throws InvalidArgument unless the request's settings fit the guidance.
template <class Prompt, class G>
void check_guidance(const Request<Prompt>& request, const G& guidance) {
  guidance.check(std::span<const Prompt>(request.prompts));
  check_rescale(request.guidance_rescale);
  const bool has_nothing_to_rescale = request.guidance_rescale > 0 && guidance.branches() == 1;
  if constexpr (is_classifier_free<G, Prompt>) {
    if (has_nothing_to_rescale)
      reject("guidance rescale is ", request.guidance_rescale, ", and there is no guidance to rescale, with ",
             request.negatives.empty() ? "no negative prompts" : sentence("guidance ", request.guidance),
             "; use guidance rescale 0, or guidance above 1 with negative prompts");
    if (request.negatives.empty() && request.guidance > 1 &&
        request.guidance != Request<Prompt>::default_guidance)
      reject("guidance is ", request.guidance,
             ", and there are no negative prompts to guide away from; give one for each prompt, or use "
             "guidance 1");
  } else {
    if (has_nothing_to_rescale)
      reject("guidance rescale is ", request.guidance_rescale, ", and ", G::name,
             " guidance has one branch and nothing to rescale; use guidance rescale 0");
    if (!request.negatives.empty() || request.guidance != Request<Prompt>::default_guidance)
      reject("the request has guidance ", request.guidance, " and ", request.negatives.size(),
             " negative prompts, which ", G::name, " guidance does not read; leave them out, guidance at ",
             Request<Prompt>::default_guidance, ", or generate without another guidance");
  }
}

/// Calls body(prompt) for every prompt of every branch.
template <class Prompt, class G, class Body>
void for_each_prompt(const std::vector<Prompt>& prompts, const G& guidance, Body body) {
  for (Index branch = 0; branch < guidance.branches(); ++branch)
    for (Index i = 0; i < static_cast<Index>(prompts.size()); ++i)
      body(guidance.prompt(branch, span_of(prompts), i));
}

/// Returns whether any prompt has padding among its tokens.
template <class Model, class Prompt, class G>
bool has_padding(const Model& model, const std::vector<Prompt>& prompts, const G& guidance) {
  bool any = false;
  for_each_prompt(prompts, guidance, [&model, &any](const Prompt& prompt) {
    any |= valid_prefix_of(model, prompt) < prefix_of(model, prompt);
  });
  return any;
}

/// Returns the most text tokens that a prompt has beside the sequence.
template <class Model, class Prompt, class G>
Index most_text_tokens(const Model& model, const std::vector<Prompt>& prompts, const G& guidance) {
  Index most = 0;
  for_each_prompt(prompts, guidance, [&model, &most](const Prompt& prompt) {
    most = std::max(most, text_tokens_of(model, prompt));
  });
  return most;
}

template <class Model, class Prompt, class G>
RequestShape shape_of(const Model& model, const Request<Prompt>& request, const G& guidance) {
  const Index branches = guidance.branches();
  return {.extent = request.extent(),
          .prefix = prefix_of(model, request.prompts.front()),
          .has_padding = has_padding(model, request.prompts, guidance),
          .text_tokens = most_text_tokens(model, request.prompts, guidance),
          .prompts = static_cast<Index>(request.prompts.size()),
          .guidance = G::name,
          .branches = branches,
          .scales = branches > 1 ? static_cast<Index>(guidance.scales(0).size()) : 0,
          .steps = static_cast<Index>(request.sampler.size()),
          .reuse = request.reuse,
          .rescales = request.guidance_rescale != 0,
          .thresholds = std::ranges::any_of(request.sampler, &SamplerStep::has_quantile),
          .is_noisy = is_noisy(request.sampler),
          .is_given_noise = !request.step_noise.empty()};
}

template <class Model, class Prompt>
RequestShape shape_of(const Model& model, const Evaluation<Prompt>& evaluation) {
  return {.denoises = false,
          .extent = extent_of(evaluation.latents),
          .prefix = prefix_of(model, evaluation.prompts.front()),
          .has_padding = has_padding(model, evaluation.prompts, NoGuidance{}),
          .text_tokens = most_text_tokens(model, evaluation.prompts, NoGuidance{}),
          .prompts = static_cast<Index>(evaluation.prompts.size())};
}

/// Returns how many tokens stand before the images'. Throws InvalidArgument where prompts have different
/// numbers.
template <class Model, class Prompt, class G>
Index common_prefix(const Model& model, const std::vector<Prompt>& prompts, const G& guidance) {
  const Index prefix = prefix_of(model, prompts.front());
  for_each_prompt(prompts, guidance, [&model, prefix](const Prompt& prompt) {
    const Index own = prefix_of(model, prompt);
    if (own != prefix)
      reject("a prompt has ", own, " tokens and the first one ", prefix,
             "; pad all prompts of a request to one length");
    const Index valid = valid_prefix_of(model, prompt);
    if (valid < 0 || valid > prefix)
      reject("a prompt has ", valid, " valid tokens of ", prefix, "; give 0 to ", prefix);
  });
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
