// Denoiser: the state of the pictures that one rank samples, from noise to the end.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "weft/core/picture.hpp"
#include "weft/core/step.hpp"
#include "weft/engine/request.hpp"
#include "weft/policy/job.hpp"
#include "weft/policy/tokens.hpp"

namespace weft {

template <class Backend, class Policies>
class Denoiser {
 public:
  using Queue = typename Backend::Queue;

  /// Takes all memory and sets the state to the starting noise of the prompts in `prompts`.
  template <class Prompt>
  Denoiser(Queue& queue, const Request<Prompt>& request, const PictureShape& picture, Range prompts,
           const Rows& rows, int branches)
      : picture_(picture),
        prompts_(prompts),
        rows_(rows),
        branches_(branches),
        steps_(static_cast<Index>(request.sampler.size())),
        is_noisy_(std::ranges::any_of(request.sampler, [](const SamplerStep& s) { return s.noise != 0; })),
        seed_(request.seed),
        guidance_(request.guidance),
        rescale_(request.guidance_rescale),
        state_(queue, elements()),
        estimate_(queue, elements()),
        noise_(queue, elements()),
        given_noise_(queue, request.step_noise.empty() ? 0 : steps_ * elements()),
        constants_(queue, steps_ * SamplerStep::constants),
        predictions_(queue, branches * elements()),
        moments_(queue, 2 * rows.patches() * prompts.size() * 2) {
    upload(queue, constants_of(request.sampler), constants());
    if (request.noise.empty()) {
      for (Index m = 0; m < rows.patches(); ++m) draw(queue, {}, m, state(rows.rows(m)));
    } else {
      upload(queue, to_tokens(request.noise, picture, prompts, rows), state());
    }
    if (request.step_noise.empty()) return;
    for (Index step = 0; step < steps_; ++step)
      upload(queue, to_tokens(request.step_noise.at(step), picture, prompts, rows), given_noise()[step]);
  }

  /// The state of rows into every branch of the model's input: (rows, branches here · prompts, features).
  template <class Element>
  void feed(Queue& queue, Range rows, const View<Element, 3>& latents) const {
    const Index prompts = prompts_.size();
    for (Index first = 0; first < latents.extent[1]; first += prompts)
      copy(queue, state(rows), latents.template slice<1>({first, first + prompts}));
  }

  /// One step of a unit's rows. `prediction` (rows, branches here · prompts, features) is of the branches
  /// `here`; those of other ranks come from there.
  void step(Queue& queue, Policies& policies, const Unit& unit, Range rows, Range here,
            const View<float, 3>& prediction) {
    const auto span = queue.span("sampler", "step", unit.step);
    const View<float, 3> all = predictions(rows);
    copy(queue, prediction,
         all.template slice<1>({here.begin * prompts_.size(), here.end * prompts_.size()}));
    if (branches_ > 1) policies.share_branches(queue, all, prompts_.size());

    const View<float, 3> result = all.template slice<1>({(branches_ - 1) * prompts_.size(), all.extent[1]});
    if (branches_ > 1) {
      const View<float, 3> negative = all.template slice<1>({0, prompts_.size()});
      if (rescale_ != 0) measure(queue, policies, unit, 0, result);
      guide(queue, negative, guidance_, result);
      if (rescale_ != 0) {
        measure(queue, policies, unit, 1, result);
        rescale(queue, picture_moments(1), picture_moments(0), picture_.elements(), rescale_, result);
      }
    }

    const Step step = queue.step(unit.step);
    View<float, 4> fresh;  // (steps or 1, rows, prompts, features), or empty
    if (is_noisy_ && given_noise_.size() > 0) {
      fresh = given_noise().template slice<1>(rows);
    } else if (is_noisy_) {
      fresh = drawn_noise().template slice<1>(rows);
      for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
        draw(queue, step + 1, m, drawn_noise()[0].template slice<0>(rows_.rows(m)));
    }
    denoise(queue, constants(), step, result, fresh, state(rows),
            estimate_.view(extents()).template slice<0>(rows));
  }

  /// (rows, prompts, features).
  View<float, 3> state() const { return state_.view(extents()); }
  View<float, 3> state(Range rows) const { return state().template slice<0>(rows); }

 private:
  using Floats = typename Backend::template Buffer<float>;

  static Tensor constants_of(const Sampler& sampler) {
    Tensor out({static_cast<Index>(sampler.size()), SamplerStep::constants});
    float* next = out.data.data();
    for (const SamplerStep& step : sampler) next = std::ranges::copy(step.numbers(), next).out;
    return out;
  }
  View<float, 2> constants() const {
    return constants_.view(std::array{steps_, Index{SamplerStep::constants}});
  }

  std::array<Index, 3> extents() const { return {rows_.size(), prompts_.size(), picture_.features()}; }
  Index elements() const { return rows_.size() * prompts_.size() * picture_.features(); }

  View<float, 3> predictions(Range rows) const {
    const std::array<Index, 3> all{rows_.size(), branches_ * prompts_.size(), picture_.features()};
    return predictions_.view(all).template slice<0>(rows);
  }
  View<float, 4> given_noise() const {
    return given_noise_.view(std::array{steps_, rows_.size(), prompts_.size(), picture_.features()});
  }
  View<float, 4> drawn_noise() const {
    return noise_.view(std::array{Index{1}, rows_.size(), prompts_.size(), picture_.features()});
  }
  /// Of the branch with the prompt, or of the guided prediction: (patches, prompts, 2).
  View<double, 3> picture_moments(Index which) const {
    return moments_.view(std::array{Index{2}, rows_.patches(), prompts_.size(), Index{2}})[which];
  }

  void draw(Queue& queue, Step step, Index m, const View<float, 3>& out) const {
    noise(queue, seed_, step, picture_, prompts_.begin, rows_.tokens(m), out);
  }

  /// The unit's part of the moments over the whole picture; those of patches in flight are the newest known.
  void measure(Queue& queue, Policies& policies, const Unit& unit, Index which,
               const View<float, 3>& result) {
    const Index first = rows_.rows(unit.patches).begin;
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      moments(queue, result.template slice<0>(rows_.rows(m) + -first), picture_moments(which)[m]);
    const View<double, 3> own = picture_moments(which).template slice<0>(unit.patches);
    policies.sum(queue, View<double, 1>(own.data, {own.size()}));
  }

  PictureShape picture_;
  Range prompts_;
  Rows rows_;
  Index branches_;
  Index steps_;
  bool is_noisy_;
  std::uint64_t seed_;
  float guidance_, rescale_;
  Floats state_, estimate_, noise_;  // (rows, prompts, features)
  Floats given_noise_;               // (steps, rows, prompts, features)
  Floats constants_;                 // (steps, SamplerStep::constants)
  Floats predictions_;               // (rows, branches · prompts, features)
  typename Backend::template Buffer<double> moments_;
};

}  // namespace weft
