// Denoiser: the latents that one rank denoises. The work that it queues in a step is the same for all
// requests of a shape: their own values are read from its memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "weft/core/quantile.hpp"
#include "weft/core/step.hpp"
#include "weft/engine/request.hpp"
#include "weft/policy/job.hpp"
#include "weft/policy/tokens.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// The numbers of a request that operators read.
struct Settings {
  std::uint64_t seed = 0;
  float rescale = 0;
};

}  // namespace detail

/// Used with one queue, which must outlive it.
template <class Backend, class Policies, class Grid>
class Denoiser {
 public:
  using Queue = typename Backend::Queue;

  /// Allocates all memory for requests of the shape; this rank denoises the images of `prompts`.
  Denoiser(Queue& queue, const RequestShape& shape, const Grid& image, Range prompts, const Rows& rows)
      : shape_(shape),
        image_(image),
        prompts_(prompts),
        rows_(rows),
        state_(queue, elements()),
        estimate_(queue, elements()),
        noise_(queue, elements()),
        given_noise_(queue, shape.is_given_noise ? shape.steps * elements() : 0),
        constants_(queue, shape.steps * SamplerStep::constants),
        scales_(queue, shape.steps * shape.scales),
        predictions_(queue, shape.branches * elements()),
        moments_(queue, 2 * rows.patches() * prompts.size() * 2),
        magnitudes_(queue, shape.thresholds ? elements() : 0),
        digit_counts_(queue, shape.thresholds ? prompts.size() * digit_bins : 0),
        searches_(queue, shape.thresholds ? prompts.size() : 0),
        settings_(queue, 1) {}

  /// Sets the state to a request's starting noise, and resets all else.
  template <class Prompt>
  void start(Queue& queue, const Request<Prompt>& request, const auto& guidance) {
    fill(queue, {request.seed, request.guidance_rescale}, settings_.view(std::array{Index{1}}));
    fill(queue, 0, estimate_.view(std::array{elements()}));
    upload(queue, constants_of(request.sampler), constants());
    if (shape_.scales > 0) upload(queue, scales_of(guidance), scales());
    if (request.noise.empty()) {
      for (Index m = 0; m < rows_.patches(); ++m) draw(queue, {}, m, state(rows_.rows(m)));
    } else {
      upload(queue, to_tokens(request.noise, image_, prompts_, rows_), state());
    }
    if (request.step_noise.empty()) return;
    for (Index step = 0; step < shape_.steps; ++step)
      upload(queue, to_tokens(request.step_noise.at(step), image_, prompts_, rows_), given_noise()[step]);
  }

  /// Copies the state of rows to every branch of the model's input: (rows, branches here · prompts,
  /// features).
  template <class Element>
  void feed(Queue& queue, Range rows, const View<Element, 3>& latents) const {
    const Index prompts = prompts_.size();
    for (Index first = 0; first < latents.extent[1]; first += prompts)
      copy(queue, state(rows), latents.template slice<1>({first, first + prompts}));
  }

  /// Runs a step for a unit's rows. `prediction` (rows, branches here · prompts, features) is that of the
  /// branches `here`; other ranks send those of the other branches.
  template <class G>
  void step(Queue& queue, Policies& policies, const Unit& unit, Range rows, Range here,
            const View<float, 3>& prediction) {
    const auto span = queue.span("sampler", "step", unit.step);
    const View<float, 3> all = predictions(rows);
    copy(queue, prediction,
         all.template slice<1>({here.begin * prompts_.size(), here.end * prompts_.size()}));
    if (shape_.branches > 1) policies.share_branches(queue, all, prompts_.size());

    const View<float, 3> result =
        all.template slice<1>({(shape_.branches - 1) * prompts_.size(), all.extent[1]});
    if (shape_.branches > 1) {
      if (shape_.rescales) measure(queue, policies, unit, 0, result);
      G::combine(queue, all, scales(), queue.step(unit.step), result);
      if (shape_.rescales) {
        measure(queue, policies, unit, 1, result);
        rescale(queue, image_moments(1), image_moments(0), image_.elements(), &settings()->rescale, result);
      }
    }

    const Step step = queue.step(unit.step);
    View<float, 4> fresh;  // (steps or 1, rows, prompts, features), or empty
    if (shape_.is_noisy && shape_.is_given_noise) {
      fresh = given_noise().template slice<1>(rows);
    } else if (shape_.is_noisy) {
      fresh = drawn_noise().template slice<1>(rows);
      for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
        draw(queue, step + 1, m, drawn_noise()[0].template slice<0>(rows_.rows(m)));
    }
    if (shape_.thresholds) search(queue, policies, step, rows, result);
    denoise(queue, constants(), step, result, fresh, shape_.thresholds ? searches().data : nullptr,
            state(rows), estimate_.view(extents()).template slice<0>(rows));
  }

  /// Return the latents: (rows, prompts, features).
  View<float, 3> state() const { return state_.view(extents()); }
  View<float, 3> state(Range rows) const { return state().template slice<0>(rows); }

 private:
  using Floats = typename Backend::template Buffer<float>;

  /// Returns the address from which operators read the settings.
  const detail::Settings* settings() const { return settings_.view(std::array{Index{1}}).data; }

  static Tensor constants_of(const Sampler& sampler) {
    Tensor out({static_cast<Index>(sampler.size()), SamplerStep::constants});
    float* next = out.data.data();
    for (const SamplerStep& step : sampler) next = std::ranges::copy(step.numbers(), next).out;
    return out;
  }
  /// Returns the scales of all steps. Throws std::logic_error if steps have different numbers of them.
  Tensor scales_of(const auto& guidance) const {
    Tensor out({shape_.steps, shape_.scales});
    float* next = out.data.data();
    for (Index step = 0; step < shape_.steps; ++step) {
      const std::vector<float> own = guidance.scales(step);
      if (static_cast<Index>(own.size()) != shape_.scales)
        throw std::logic_error(sentence("the guidance has ", shape_.scales, " scales at the first step and ",
                                        own.size(), " at step ", step, ": give each step as many"));
      next = std::ranges::copy(own, next).out;
    }
    return out;
  }
  View<float, 2> scales() const { return scales_.view(std::array{shape_.steps, shape_.scales}); }
  View<float, 2> constants() const {
    return constants_.view(std::array{shape_.steps, Index{SamplerStep::constants}});
  }

  std::array<Index, 3> extents() const { return {rows_.size(), prompts_.size(), image_.features()}; }
  Index elements() const { return rows_.size() * prompts_.size() * image_.features(); }

  View<float, 3> predictions(Range rows) const {
    const std::array<Index, 3> all{rows_.size(), shape_.branches * prompts_.size(), image_.features()};
    return predictions_.view(all).template slice<0>(rows);
  }
  View<float, 4> given_noise() const {
    return given_noise_.view(std::array{shape_.steps, rows_.size(), prompts_.size(), image_.features()});
  }
  View<float, 4> drawn_noise() const {
    return noise_.view(std::array{Index{1}, rows_.size(), prompts_.size(), image_.features()});
  }
  /// Returns the moments of the last branch (0), or of the guided prediction (1): (patches,
  /// prompts, 2).
  View<double, 3> image_moments(Index which) const {
    return moments_.view(std::array{Index{2}, rows_.patches(), prompts_.size(), Index{2}})[which];
  }

  void draw(Queue& queue, Step step, Index m, const View<float, 3>& out) const {
    noise(queue, &settings()->seed, step, image_, prompts_.begin, rows_.tokens(m), out);
  }

  /// Computes the unit's part of the moments over the whole image; those of other patches are their newest.
  void measure(Queue& queue, Policies& policies, const Unit& unit, Index which,
               const View<float, 3>& result) {
    const Index first = rows_.rows(unit.patches).begin;
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      moments(queue, result.template slice<0>(rows_.rows(m) + -first), image_moments(which)[m]);
    const View<double, 3> own = image_moments(which).template slice<0>(unit.patches);
    policies.sum(queue, View<double, 1>(own.data, {own.size()}));
  }

  /// Computes quantiles of the images' magnitudes over all ranks; those of other patches are their newest.
  void search(Queue& queue, Policies& policies, Step step, Range rows, const View<float, 3>& output) {
    const View<float, 3> all = magnitudes_.view(extents());
    magnitudes(queue, constants(), step, output, state(rows), all.template slice<0>(rows));
    start_searches(queue, constants(), step, image_.elements(), searches());
    const View<double, 2> counts = digit_counts_.view(std::array{prompts_.size(), digit_bins});
    for (int round = 0; round < QuantileSearch::rounds; ++round) {
      count_digits(queue, all, searches().data, round, counts);
      policies.sum(queue, View<double, 1>(counts.data, {counts.size()}));
      narrow_searches(queue, counts, searches());
    }
  }
  View<QuantileSearch, 1> searches() const { return searches_.view(std::array{prompts_.size()}); }

  static constexpr Index digit_bins = QuantileSearch::statistics * QuantileSearch::digits;

  RequestShape shape_;
  Grid image_;
  Range prompts_;
  Rows rows_;
  Floats state_, estimate_, noise_;  // (rows, prompts, features)
  Floats given_noise_;               // (steps, rows, prompts, features)
  Floats constants_;                 // (steps, SamplerStep::constants)
  Floats scales_;                    // (steps, scales of guidance)
  Floats predictions_;               // (rows, branches · prompts, features)
  typename Backend::template Buffer<double> moments_;
  Floats magnitudes_;                                       // (rows, prompts, features), or empty
  typename Backend::template Buffer<double> digit_counts_;  // (prompts, digit_bins), or empty
  typename Backend::template Buffer<QuantileSearch> searches_;
  typename Backend::template Buffer<detail::Settings> settings_;
};

}  // namespace weft::inline v0_1
