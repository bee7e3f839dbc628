// Summaries of an engine's inputs, which its ranks compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/core/digest.hpp"
#include "weft/core/type_name.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/dit.hpp"

namespace weft::inline v0_1::detail {

inline std::string text_of(const DitShape& shape) {
  const std::string keys =
      shape.key_heads() == shape.heads ? "" : sentence(", ", shape.key_heads(), " of keys");
  return sentence(shape.blocks, shape.has_long_skips() ? " folded blocks, " : " blocks, ", shape.heads,
                  " heads of ", shape.head_dim, keys, ", patch ", shape.patch, ", ", shape.channels,
                  " channels and ", shape.out_channels, " predicted ones");
}

template <class Model, class Parallel>
InputSummary summary_of(const Model& model, const Mesh& mesh) {
  using Backend = typename Model::Backend;
  InputSummary out("engine");
  out.add("element type", type_name<typename Backend::Element>());
  out.add("operand type", type_name<typename Backend::Operand>());
  out.add("policies", type_name<Parallel>());
  for (const Axis axis : all_axes) out.add(name_of(axis), mesh.degree(axis));
  out.add("patches", mesh.patch_count());
  out.add("warmup", mesh.warmup);
  out.add("ring cache", mesh.copies_ring_cache() ? "copy" : "rotate");
  out.add("a model of", text_of(model.shape()));
  if constexpr (HasDigest<Model>) out.add_contents("model", model.digest());
  return out;
}

/// Adds the number of prompts, and their contents if the type has a digest.
template <class Prompt>
void add_prompts(InputSummary& out, std::string_view name, const std::vector<Prompt>& prompts) {
  out.add(sentence(name, "s"), prompts.size());
  if constexpr (Digestible<Prompt>)
    for (std::size_t i = 0; i < prompts.size(); ++i) out.add_contents(sentence(name, " ", i), prompts[i]);
}

inline void add_tensor(InputSummary& out, std::string_view name, const Tensor& tensor) {
  out.add(name, tensor.empty() ? "drawn from the seed" : to_string(tensor.shape));
  out.add_contents(name, tensor);
}

inline std::uint64_t digest_of_steps(const Sampler& sampler) {
  Digest out;
  for (const SamplerStep& step : sampler) {
    add_to(out, step.timestep);
    for (const float number : step.numbers()) add_to(out, number);
  }
  return out.value();
}

template <class Prompt>
InputSummary summary_of(const Request<Prompt>& request) {
  InputSummary out("request");
  out.add("frames", request.frames);
  out.add("height", request.height);
  out.add("width", request.width);
  out.add("steps", request.sampler.size());
  out.add("reuse in", to_string(request.reuse));
  out.add("guidance", request.guidance);
  out.add("guidance rescale", request.guidance_rescale);
  out.add("seed", request.seed);
  out.add(request.stop.stop_possible() ? "a way to stop" : "no way to stop");
  out.add("steps between previews", request.preview_every);
  out.add(has_idle_preview(request) ? "a preview at no step" : "no preview at no step");
  out.add_contents("sampler", digest_of_steps(request.sampler));
  add_prompts(out, "prompt", request.prompts);
  add_prompts(out, "negative prompt", request.negatives);
  add_tensor(out, "starting noise", request.noise);
  add_tensor(out, "noise of the steps", request.step_noise);
  return out;
}

/// Adds what classifier-free guidance has as a part of the request.
template <class Prompt, class G>
InputSummary summary_of(const Request<Prompt>& request, const G& guidance) {
  InputSummary out = summary_of(request);
  out.add(sentence(G::name, " guidance"));
  if constexpr (!is_classifier_free<G, Prompt>) {
    Digest scales;
    for (std::size_t step = 0; step < request.sampler.size(); ++step)
      for (const float scale : guidance.scales(static_cast<Index>(step))) add_to(scales, scale);
    out.add_contents("scale of guidance", scales.value());
    out.add("branches", guidance.branches());
    if constexpr (Digestible<Prompt>) {
      Index i = 0;
      for_each_prompt(request.prompts, guidance, [&out, &i](const Prompt& prompt) {
        out.add_contents(sentence("branches' prompt ", i++), prompt);
      });
    }
  }
  return out;
}

template <class Prompt>
InputSummary summary_of(const Evaluation<Prompt>& evaluation) {
  InputSummary out("evaluation");
  add_prompts(out, "prompt", evaluation.prompts);
  out.add("latents", to_string(evaluation.latents.shape));
  out.add_contents("latents", evaluation.latents);
  out.add("times", to_string(evaluation.times.shape));
  out.add_contents("times", evaluation.times);
  return out;
}

}  // namespace weft::inline v0_1::detail
