// Guidance: how a step's predictions for several branches, each with prompts of its own, become one.
#pragma once

#include <cmath>
#include <concepts>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/step.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

/// A way to evaluate branches of `Prompt` and to combine their predictions by operators of a queue.
///
/// - `name` tells its kind from others'.
/// - check(prompts) throws InvalidArgument if it does not fit the request's prompts.
/// - branches() is how many prompts a step evaluates for each of the request's; ranks of CfgParallel share
///   them. prompt(branch, prompts, i) is that of a branch for prompts[i].
/// - tell(prompt), if there is one, changes a prompt for the model: the engine's own copy.
/// - scales(step) are the numbers that `combine` reads at a step, as many at each.
/// - combine(queue, predictions, scales, step, out) writes the guided prediction: predictions (tokens,
///   branches · prompts, features), branch by branch; scales (steps, numbers), in the backend's memory; out
///   (tokens, prompts, features), which is the last branch's part of the predictions. It is called where
///   there is more than one branch; its work is recorded once and replayed at other steps and for other
///   requests, whose scales it reads when it runs.
template <class G, class Prompt, class Queue>
concept Guidance = requires(const G& guidance, Queue& queue, std::span<const Prompt> prompts, Index i,
                            const View<float, 3>& predictions, const View<const float, 2>& scales,
                            Step step) {
  { G::name } -> std::convertible_to<std::string_view>;
  { guidance.check(prompts) } -> std::same_as<void>;
  { guidance.branches() } -> std::same_as<Index>;
  { guidance.prompt(i, prompts, i) } -> std::convertible_to<const Prompt&>;
  { guidance.scales(i) } -> std::same_as<std::vector<float>>;
  { G::combine(queue, predictions, scales, step, predictions) } -> std::same_as<void>;
};

namespace detail {

/// Fails to compile with one sentence if G is no guidance.
template <class G, class Prompt, class Queue>
constexpr bool explain_guidance() {
  static_assert(
      Guidance<G, Prompt, Queue>,
      "weft: this type is no guidance: give it name, void check(prompts) const, Index branches() const, "
      "prompt(branch, prompts, i) const, std::vector<float> scales(step) const and static void "
      "combine(queue, predictions, scales, step, out), as weft/sampler/guidance.hpp says");
  return Guidance<G, Prompt, Queue>;
}

}  // namespace detail

/// One branch: the prompts alone.
struct NoGuidance {
  static constexpr std::string_view name = "none";

  template <class Prompt>
  void check(std::span<const Prompt>) const {}
  static constexpr Index branches() { return 1; }
  template <class Prompt>
  const Prompt& prompt(Index, std::span<const Prompt> prompts, Index i) const {
    return prompts[static_cast<std::size_t>(i)];
  }
  std::vector<float> scales(Index) const { return {}; }
  static void combine(auto&, const View<float, 3>&, const View<const float, 2>&, Step,
                      const View<float, 3>&) {}
};

/// Guidance by a scale that the model is told as a part of its prompt, as the distilled FLUX.1-dev is: one
/// branch. Meng et al., "On Distillation of Guided Diffusion Models", 2023.
struct EmbeddedGuidance : NoGuidance {
  static constexpr std::string_view name = "embedded";
  float scale = 3.5f;

  explicit EmbeddedGuidance(float by) : scale(by) {}

  template <class Prompt>
  void check(std::span<const Prompt>) const {
    if (!std::isfinite(scale)) reject("guidance is ", scale, " and must be a finite number; 3.5 is usual");
  }
  template <class Prompt>
  void tell(Prompt& prompt) const {
    prompt.guidance = scale;
  }
  std::vector<float> scales(Index) const { return {scale}; }
};

/// Classifier-free guidance: negative + scale · (positive − negative); none at a scale of 1 and below, as in
/// diffusers, or without negative prompts, which must outlive it. Ho and Salimans, "Classifier-Free Diffusion
/// Guidance", 2022.
template <class Prompt>
struct ClassifierFree {
  static constexpr std::string_view name = "classifier-free";
  std::span<const Prompt> negatives{};  // one for each prompt, or none
  float scale = 5;

  void check(std::span<const Prompt> prompts) const {
    if (!negatives.empty() && negatives.size() != prompts.size())
      reject("the request has ", prompts.size(), " prompts and ", negatives.size(),
             " negative prompts; give one for each, or none");
    if (!std::isfinite(scale)) reject("guidance is ", scale, " and must be a finite number; 5 is usual");
  }
  Index branches() const { return !negatives.empty() && scale > 1 ? 2 : 1; }
  const Prompt& prompt(Index branch, std::span<const Prompt> prompts, Index i) const {
    return (branch + 1 < branches() ? negatives : prompts)[static_cast<std::size_t>(i)];
  }
  std::vector<float> scales(Index) const { return {scale}; }

  static void combine(auto& queue, const View<float, 3>& predictions, const View<const float, 2>& scales,
                      Step, const View<float, 3>& out) {
    guide(queue, predictions.slice<1>({0, out.extent[1]}), scales.data, out);
  }
};

/// The weighted sum of the predictions of any number of branches: those of `branches` and last, with
/// `weight`, the request's prompts. Of a guidance that leaves equal predictions as they are, weights sum
/// to 1. Liu et al., "Compositional Visual Generation with Composable Diffusion Models", 2022.
template <class Prompt>
struct WeightedGuidance {
  static constexpr std::string_view name = "weighted";

  struct Branch {
    std::vector<Prompt> prompts;  // one for each of the request's
    float weight = 0;
  };
  std::vector<Branch> others{};
  float weight = 1;

  void check(std::span<const Prompt> prompts) const {
    for (const Branch& branch : others) {
      if (branch.prompts.size() != prompts.size())
        reject("the request has ", prompts.size(), " prompts and a branch of guidance ",
               branch.prompts.size(), "; give one for each");
      check_weight(branch.weight);
    }
    check_weight(weight);
  }
  Index branches() const { return static_cast<Index>(others.size()) + 1; }
  const Prompt& prompt(Index branch, std::span<const Prompt> prompts, Index i) const {
    const auto at = static_cast<std::size_t>(branch), image = static_cast<std::size_t>(i);
    return at < others.size() ? others[at].prompts[image] : prompts[image];
  }
  std::vector<float> scales(Index) const {
    std::vector<float> out;
    for (const Branch& branch : others) out.push_back(branch.weight);
    out.push_back(weight);
    return out;
  }

  static void combine(auto& queue, const View<float, 3>& predictions, const View<const float, 2>& scales,
                      Step step, const View<float, 3>& out) {
    weigh(queue, predictions, scales, step, out);
  }

 private:
  static void check_weight(float weight) {
    if (!std::isfinite(weight))
      reject("a branch of guidance has the weight ", weight, " and must have a finite one, such as 1");
  }
};

/// Returns guidance by an image and a text in three branches: unconditional + image_scale · (image −
/// unconditional) + text_scale · (both − image); the request's prompts are those with both. Brooks et al.,
/// "InstructPix2Pix: Learning to Follow Image Editing Instructions", 2023, eq. 3.
template <class Prompt>
[[nodiscard]] WeightedGuidance<Prompt> image_and_text_guidance(std::vector<Prompt> unconditional,
                                                               std::vector<Prompt> image, float image_scale,
                                                               float text_scale) {
  return {{{std::move(unconditional), 1 - image_scale}, {std::move(image), image_scale - text_scale}},
          text_scale};
}

}  // namespace weft::inline v0_1
