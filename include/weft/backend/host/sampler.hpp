// The sampler's operators on the host. Everything is (tokens, images, features), in float32.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "weft/backend/host/queue.hpp"
#include "weft/core/image.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/core/step.hpp"
#include "weft/core/view.hpp"

namespace weft::host {

// What differs from request to request, as a seed or a scale, is read where it lies in the backend's memory.

/// Normal numbers for `tokens` of images `first`, `first` + 1, …: the same for an element wherever it is.
inline void noise(Queue& queue, const std::uint64_t* seed, Step step, const ImageShape& shape, Index first,
                  Range tokens, View<float, 3> out) {
  const auto number = static_cast<std::uint32_t>(step.index());
  queue.workers().parallel_for(
      tokens.size(), 1, [seed = *seed, number, &shape, first, tokens, &out](Range part) {
        for (Index t = part.begin; t < part.end; ++t)
          for (Index p = 0; p < out.extent[1]; ++p)
            for (Index f = 0; f < out.extent[2]; ++f)
              out[t][p][f] = normal(
                  seed, number, static_cast<std::uint64_t>(shape.element(first + p, tokens.begin + t, f)));
      });
}

/// Into positive: negative + scale · (positive − negative).
inline void guide(Queue&, In<float, 3> negative, const float* scale, View<float, 3> positive) {
  const float by = *scale;
  for (Index t = 0; t < positive.extent[0]; ++t)
    for (Index p = 0; p < positive.extent[1]; ++p) {
      const View<const float, 1> less = negative[t][p];
      const View<float, 1> more = positive[t][p];
      for (Index f = 0; f < more.size(); ++f) more[f] = less[f] + by * (more[f] - less[f]);
    }
}

/// Every image's sum and sum of squares: out (images, 2).
inline void moments(Queue&, In<float, 3> x, View<double, 2> out) {
  for (Index p = 0; p < x.extent[1]; ++p) {
    double sum = 0, squares = 0;
    for (Index t = 0; t < x.extent[0]; ++t)
      for (Index f = 0; f < x.extent[2]; ++f) {
        const double value = x[t][p][f];
        sum += value, squares += value * value;
      }
    out[p][0] = sum, out[p][1] = squares;
  }
}

/// x times what moves its standard deviation over the whole image towards that of the reference:
/// rescale · deviation(reference) / deviation(x) + 1 − rescale. The moments (patches, images, 2) are of
/// `count` elements an image, over all patches.
/// Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, §3.4.
inline void rescale(Queue&, In<double, 3> x_moments, In<double, 3> reference_moments, Index count,
                    const float* rescale, View<float, 3> x) {
  const auto deviation = [count](In<double, 3> moments, Index image) {
    double sum = 0, squares = 0;
    for (Index patch = 0; patch < moments.extent[0]; ++patch)
      sum += moments[patch][image][0], squares += moments[patch][image][1];
    const double mean = sum / static_cast<double>(count);
    return std::sqrt(squares / static_cast<double>(count) - mean * mean);
  };
  for (Index p = 0; p < x.extent[1]; ++p) {
    const double ratio = deviation(reference_moments, p) / deviation(x_moments, p);
    const auto factor = static_cast<float>(*rescale * ratio + 1 - *rescale);
    for (Index t = 0; t < x.extent[0]; ++t)
      for (float& value : std::span(x[t][p].data, static_cast<std::size_t>(x.extent[2]))) value *= factor;
  }
}

/// The magnitudes of a step's estimates, before they are bounded.
inline void magnitudes(Queue&, In<float, 2> constants, Step number, In<float, 3> output, In<float, 3> x,
                       View<float, 3> out) {
  const SamplerStep step = SamplerStep::of(constants[number.index()].data);
  for (Index t = 0; t < x.extent[0]; ++t)
    for (Index p = 0; p < x.extent[1]; ++p)
      for (Index f = 0; f < x.extent[2]; ++f)
        out[t][p][f] = std::abs(step.estimate(x[t][p][f], output[t][p][f]));
}

/// How many of an image's magnitudes go on with which digit in a round of its search: counts
/// (images, QuantileSearch::statistics · digits).
inline void count_digits(Queue&, In<float, 3> magnitudes, const QuantileSearch* searches, int round,
                         View<double, 2> counts) {
  for (Index p = 0; p < magnitudes.extent[1]; ++p) {
    std::ranges::fill(std::span(counts[p].data, static_cast<std::size_t>(counts.extent[1])), 0);
    for (Index t = 0; t < magnitudes.extent[0]; ++t)
      for (Index f = 0; f < magnitudes.extent[2]; ++f)
        for (int s = 0; s < QuantileSearch::statistics; ++s) {
          const int bin = searches[p].place_of(QuantileSearch::bits_of(magnitudes[t][p][f]), round, s);
          if (bin >= 0) ++counts[p][bin];
        }
  }
}

/// Starts the images' searches for a step's quantile of `count` magnitudes.
inline void start_searches(Queue&, In<float, 2> constants, Step number, Index count,
                           View<QuantileSearch, 1> searches) {
  const float quantile = SamplerStep::of(constants[number.index()].data).quantile;
  for (Index p = 0; p < searches.size(); ++p) searches[p] = QuantileSearch::start(quantile, count);
}

/// Ends a round with the counts (images, QuantileSearch::statistics · digits) of all magnitudes.
inline void narrow_searches(Queue&, In<double, 2> counts, View<QuantileSearch, 1> searches) {
  for (Index p = 0; p < searches.size(); ++p) searches[p].narrow(counts[p].data);
}

/// One step of the state x; `estimate` holds the estimate of the step before and takes this one's.
/// `constants` (steps, SamplerStep::constants); `noise` (tokens, images, features), or empty if no step
/// adds any, or (steps, tokens, images, features); `searches` are done, one an image, or null if no step
/// has a quantile.
inline void denoise(Queue&, In<float, 2> constants, Step number, In<float, 3> output, In<float, 4> noises,
                    const QuantileSearch* searches, View<float, 3> x, View<float, 3> estimate) {
  const SamplerStep step = SamplerStep::of(constants[number.index()].data);
  const View<const float, 3> noise =
      noises.empty() ? View<const float, 3>() : noises[noises.extent[0] > 1 ? number.index() : 0];
  for (Index p = 0; p < x.extent[1]; ++p) {
    const float bound = step.bound_of(searches ? &searches[p] : nullptr);
    for (Index t = 0; t < x.extent[0]; ++t)
      for (Index f = 0; f < x.extent[2]; ++f) {
        float& state = x[t][p][f];
        const float last = estimate[t][p][f], said = output[t][p][f];
        estimate[t][p][f] = step.bounded(step.estimate(state, said), bound);
        state = step.next(state, estimate[t][p][f], last, said);
        if (!noise.empty()) state += step.noise * noise[t][p][f];
      }
  }
}

}  // namespace weft::host
