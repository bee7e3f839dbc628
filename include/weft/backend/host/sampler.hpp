// The sampler's operators on the host. Everything is (tokens, images, features), in float32.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/backend/host/queue.hpp"
#include "weft/core/grid.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/core/step.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::host {

// Seeds and scales differ from request to request: operators read them in the backend's memory when they run.

/// Writes normal numbers for `tokens` of images `first`, `first` + 1, …: an element gets the same on every
/// rank.
template <Grid G>
void noise(Queue& queue, const std::uint64_t* seed, Step step, const G& shape, Index first, Range tokens,
           View<float, 3> out) {
  const auto number = static_cast<std::uint32_t>(step.index());
  queue.workers().parallel_for(
      tokens.size(), 1, [seed = *seed, number, &shape, first, tokens, &out](Range part) {
        for (Index t = part.begin; t < part.end; ++t)
          for (Index image = 0; image < out.extent[1]; ++image)
            for (Index f = 0; f < out.extent[2]; ++f)
              out[t][image][f] =
                  normal(seed, number,
                         static_cast<std::uint64_t>(shape.element(first + image, tokens.begin + t, f)));
      });
}

/// Computes positive = negative + scale · (positive − negative): classifier-free guidance.
inline void guide(Queue&, In<float, 3> negative, const float* scale, View<float, 3> positive) {
  const float by = *scale;
  for (Index t = 0; t < positive.extent[0]; ++t)
    for (Index image = 0; image < positive.extent[1]; ++image) {
      const View<const float, 1> less = negative[t][image];
      const View<float, 1> more = positive[t][image];
      for (Index f = 0; f < more.size(); ++f) more[f] = less[f] + by * (more[f] - less[f]);
    }
}

/// Computes the weighted sum of several branches' predictions, (tokens, branches · images, features), by a
/// step's weights, (steps, branches); out (tokens, images, features) may be a branch's part of them.
inline void weigh(Queue&, In<float, 3> predictions, In<float, 2> weights, Step step, View<float, 3> out) {
  const View<const float, 1> of_step = weights[step.index()];
  const Index images = out.extent[1];
  for (Index t = 0; t < out.extent[0]; ++t)
    for (Index image = 0; image < images; ++image)
      for (Index f = 0; f < out.extent[2]; ++f) {
        float sum = 0;
        for (Index b = 0; b < of_step.size(); ++b) sum += of_step[b] * predictions[t][b * images + image][f];
        out[t][image][f] = sum;
      }
}

/// Computes every image's sum and sum of squares: out (images, 2).
inline void moments(Queue&, In<float, 3> x, View<double, 2> out) {
  for (Index image = 0; image < x.extent[1]; ++image) {
    double sum = 0, squares = 0;
    for (Index t = 0; t < x.extent[0]; ++t)
      for (Index f = 0; f < x.extent[2]; ++f) {
        const double value = x[t][image][f];
        sum += value;
        squares += value * value;
      }
    out[image][0] = sum;
    out[image][1] = squares;
  }
}

/// Multiplies x so that its standard deviation over the whole image moves towards the reference's, by
/// rescale · deviation(reference) / deviation(x) + 1 − rescale. The moments (patches, images, 2) are over
/// `count` elements an image in all patches together.
/// Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, §3.4.
inline void rescale(Queue&, In<double, 3> x_moments, In<double, 3> reference_moments, Index count,
                    const float* rescale, View<float, 3> x) {
  const auto deviation = [count](In<double, 3> moments, Index image) {
    double sum = 0, squares = 0;
    for (Index patch = 0; patch < moments.extent[0]; ++patch) {
      sum += moments[patch][image][0];
      squares += moments[patch][image][1];
    }
    const double mean = sum / static_cast<double>(count);
    return std::sqrt(squares / static_cast<double>(count) - mean * mean);
  };
  for (Index image = 0; image < x.extent[1]; ++image) {
    const double ratio = deviation(reference_moments, image) / deviation(x_moments, image);
    const auto factor = static_cast<float>(*rescale * ratio + 1 - *rescale);
    for (Index t = 0; t < x.extent[0]; ++t)
      for (float& value : std::span<float>(x[t][image].data, static_cast<std::size_t>(x.extent[2])))
        value *= factor;
  }
}

/// Computes the magnitudes of a step's estimates, before they are bounded.
inline void magnitudes(Queue&, In<float, 2> constants, Step number, In<float, 3> output, In<float, 3> x,
                       View<float, 3> out) {
  const SamplerStep step = SamplerStep::of(constants[number.index()].data);
  for (Index t = 0; t < x.extent[0]; ++t)
    for (Index image = 0; image < x.extent[1]; ++image)
      for (Index f = 0; f < x.extent[2]; ++f)
        out[t][image][f] = std::abs(step.estimate(x[t][image][f], output[t][image][f]));
}

/// Computes the histograms of a round of the images' searches: counts
/// (images, QuantileSearch::statistics · digits).
inline void count_digits(Queue&, In<float, 3> magnitudes, const QuantileSearch* searches, int round,
                         View<double, 2> counts) {
  for (Index image = 0; image < magnitudes.extent[1]; ++image) {
    std::ranges::fill(std::span<double>(counts[image].data, static_cast<std::size_t>(counts.extent[1])), 0);
    for (Index t = 0; t < magnitudes.extent[0]; ++t)
      for (Index f = 0; f < magnitudes.extent[2]; ++f)
        for (int s = 0; s < QuantileSearch::statistics; ++s) {
          const int bin =
              searches[image].place_of(QuantileSearch::bits_of(magnitudes[t][image][f]), round, s);
          if (bin >= 0) ++counts[image][bin];
        }
  }
}

/// Starts the images' searches for a step's quantile of `count` magnitudes.
inline void start_searches(Queue&, In<float, 2> constants, Step number, Index count,
                           View<QuantileSearch, 1> searches) {
  const float quantile = SamplerStep::of(constants[number.index()].data).quantile;
  for (Index image = 0; image < searches.size(); ++image)
    searches[image] = QuantileSearch::start(quantile, count);
}

/// Ends a round of the images' searches, given the counts (images, QuantileSearch::statistics · digits) of
/// all magnitudes.
inline void narrow_searches(Queue&, In<double, 2> counts, View<QuantileSearch, 1> searches) {
  for (Index image = 0; image < searches.size(); ++image) searches[image].narrow(counts[image].data);
}

/// Advances the state x by a step; `estimate` holds the estimate of the step before and gets this one's.
/// `constants` (steps, SamplerStep::constants); `noises` (steps, tokens, images, features), or (1, …) for
/// noise of this step alone, or empty if no step adds any; `searches` are done, one an image, or null if no
/// step has a quantile.
inline void denoise(Queue&, In<float, 2> constants, Step number, In<float, 3> output, In<float, 4> noises,
                    const QuantileSearch* searches, View<float, 3> x, View<float, 3> estimate) {
  const SamplerStep step = SamplerStep::of(constants[number.index()].data);
  const View<const float, 3> noise =
      noises.empty() ? View<const float, 3>() : noises[noises.extent[0] > 1 ? number.index() : 0];
  for (Index image = 0; image < x.extent[1]; ++image) {
    const float bound = step.bound_of(searches ? &searches[image] : nullptr);
    for (Index t = 0; t < x.extent[0]; ++t)
      for (Index f = 0; f < x.extent[2]; ++f) {
        float& state = x[t][image][f];
        const float last = estimate[t][image][f], predicted = output[t][image][f];
        estimate[t][image][f] = step.bounded(step.estimate(state, predicted), bound);
        state = step.next(state, estimate[t][image][f], last, predicted);
        if (!noise.empty()) state += step.noise * noise[t][image][f];
      }
  }
}

}  // namespace weft::inline v0_1::host
