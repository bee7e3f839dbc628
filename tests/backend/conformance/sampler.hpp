// Conformance of the sampler's operators, against float64.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "placed.hpp"
#include "weft/core/image.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/core/step.hpp"

namespace conformance {

constexpr std::array<Index, 3> state_extents{21, 3, 5};

/// The sums of an image's elements and of their squares.
struct Sums {
  double first = 0, squares = 0;

  double deviation(double count) const {
    const double mean = first / count;
    return std::sqrt(squares / count - mean * mean);
  }
};

/// Returns the sums of an image.
inline Sums sums_of(const View<const float, 3>& x, Index image) {
  Sums out;
  for (Index t = 0; t < x.extent[0]; ++t)
    for (Index f = 0; f < x.extent[2]; ++f) {
      const double value = number(x[t][image][f]);
      out.first += value;
      out.squares += value * value;
    }
  return out;
}

TEST_CASE_TEMPLATE_DEFINE("noise: depends on seed, step and element alone", B, noise_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    constexpr weft::ImageShape shape{4, 8, 12, 2};
    const Placed<B, std::uint64_t, 1> seed(queue, {1});
    constexpr std::uint64_t number_of_seed = 42;
    copy_bytes(queue, View<const std::byte, 1>(reinterpret_cast<const std::byte*>(&number_of_seed), {8}),
               View<std::byte, 1>(reinterpret_cast<std::byte*>(seed.view().data), {8}));
    for (const weft::Range tokens : {weft::Range{0, 24}, weft::Range{5, 13}, weft::Range{7, 7}}) {
      Placed<B, float, 3> out(queue, {tokens.size(), 2, 16}, 3);
      noise(queue, seed.view().data, weft::Step{.ahead = 7}, shape, 1, tokens, out.view());
      CHECK(error(out.after(queue), [&](Index t, Index image, Index f) {
              const Index element = shape.element(1 + image, tokens.begin + t, f);
              return weft::normal(number_of_seed, 7, static_cast<std::uint64_t>(element));
            }) <= 1e-6);
      CHECK(out.gaps_untouched());
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("guide: away from the negative prediction", B, guide_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    const auto negative = Placed<B, float, 3>::random(queue, 61, state_extents, 2);
    auto positive = Placed<B, float, 3>::random(queue, 62, state_extents, 1);
    const Placed<B, float, 1> scale(queue, {1});
    fill(queue, 4.5f, scale.view());
    guide(queue, negative.view(), scale.view().data, positive.view());
    CHECK(error(positive.after(queue), [&](Index t, Index image, Index f) {
            const double less = number(negative.before()[t][image][f]);
            return less + 4.5 * (number(positive.before()[t][image][f]) - less);
          }) <= rounding<float>);
    CHECK(positive.gaps_untouched());
    guide(queue, negative.view().template slice<0>({2, 2}), scale.view().data,
          positive.view().template slice<0>({2, 2}));
  });
}

TEST_CASE_TEMPLATE_DEFINE("weigh: the sum of branches by a step's weights, in place of the last one", B,
                          weigh_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    constexpr Index branches = 4, images = state_extents[1];
    constexpr float weights[] = {9, 9, 9, 9, -1.5f, 0.25f, 0, 2.25f, 9, 9, 9, 9};
    auto predictions =
        Placed<B, float, 3>::random(queue, 68, {state_extents[0], branches * images, state_extents[2]}, 2);
    const Placed<B, float, 2> table(queue, {3, branches});
    copy_bytes(queue, View<const std::byte, 1>(reinterpret_cast<const std::byte*>(weights), {sizeof weights}),
               View<std::byte, 1>(reinterpret_cast<std::byte*>(table.view().data), {sizeof weights}));
    const View<float, 3> all = predictions.view();
    const auto last = all.template slice<1>({(branches - 1) * images, branches * images});
    weigh(queue, all, table.view(), {.ahead = 1}, last);
    CHECK(error(predictions.after(queue), [&](Index t, Index image, Index f) {
            const auto before = [&](Index of) { return number(predictions.before()[t][of][f]); };
            if (image < (branches - 1) * images) return before(image);
            const Index i = image % images;
            return -1.5 * before(i) + 0.25 * before(images + i) + 2.25 * before(3 * images + i);
          }) <= 3 * rounding<float>);
    CHECK(predictions.gaps_untouched());
    weigh(queue, all.template slice<0>({2, 2}), table.view(), {}, last.template slice<0>({2, 2}));
  });
}

TEST_CASE_TEMPLATE_DEFINE("moments: every image's sum and sum of squares, the same bits in every run", B,
                          moments_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index tokens : {0, 21, 700}) {
      const auto x = Placed<B, float, 3>::random(queue, 63, {tokens, 3, 5}, 2);
      Placed<B, double, 2> out(queue, {3, 2}, 1), again(queue, {3, 2});
      moments(queue, x.view(), out.view());
      moments(queue, x.view(), again.view());
      CHECK(error(out.after(queue), [&](Index image, Index i) {
              const Sums sums = sums_of(x.before(), image);
              return i ? sums.squares : sums.first;
            }) <= 1e-12);
      CHECK(out.gaps_untouched());
      const auto first = out.after(queue);
      CHECK(error(again.after(queue), [&](Index image, Index i) { return first[image][i]; }) == 0);
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("rescale: moves the deviation over all patches towards the reference's", B,
                          rescale_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const float amount : {0.0f, 0.7f, 1.0f}) {
      const auto reference = Placed<B, float, 3>::random(queue, 64, state_extents);
      auto x = Placed<B, float, 3>::random(queue, 65, state_extents, 1, 3);
      const Placed<B, float, 1> rescales(queue, {1});
      fill(queue, amount, rescales.view());
      Placed<B, double, 3> of_x(queue, {2, 3, 2}), of_reference(queue, {2, 3, 2});
      for (Index patch = 0; patch < 2; ++patch) {
        const weft::Range part = weft::split(state_extents[0], 2, patch);
        moments(queue, x.view().template slice<0>(part), of_x.view()[patch]);
        moments(queue, reference.view().template slice<0>(part), of_reference.view()[patch]);
      }
      constexpr Index count = state_extents[0] * state_extents[2];
      rescale(queue, of_x.view(), of_reference.view(), count, rescales.view().data, x.view());
      CHECK(error(x.after(queue), [&](Index t, Index image, Index f) {
              const double ratio = sums_of(reference.before(), image).deviation(count) /
                                   sums_of(x.before(), image).deviation(count);
              return number(x.before()[t][image][f]) * (amount * ratio + 1 - amount);
            }) <= rounding<float>);
      CHECK(x.gaps_untouched());
    }
  });
}

/// Returns constants of three steps, of which the second is `step`.
template <class B>
Placed<B, float, 2> constants_of(typename B::Queue& queue, const weft::SamplerStep& step) {
  Placed<B, float, 2> out(queue, {3, weft::SamplerStep::constants}, 2);
  const auto numbers = step.numbers();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    fill(queue, numbers[i], View<float, 1>(out.view()[1].data + i, {1}));
  return out;
}

/// The noise of a step: none, one tensor for all steps, or one for each.
enum class Noises { none, one, each };

TEST_CASE_TEMPLATE_DEFINE("denoise: a linear step, with noise or without, that stores its estimate", B,
                          denoise_conformance) {
  constexpr weft::SamplerStep step{.alpha = 0.9f,
                                   .sigma = 0.4f,
                                   .keep = 0.3f,
                                   .take = 0.6f,
                                   .recall = -0.2f,
                                   .direct = 0.7f,
                                   .noise = 0.1f};
  on_queues<B>([&](typename B::Queue& queue) {
    const auto constants = constants_of<B>(queue, step);
    const auto [tokens, images, features] = state_extents;
    for (const Noises noises : {Noises::none, Noises::one, Noises::each}) {
      CAPTURE(static_cast<int>(noises));
      const auto output = Placed<B, float, 3>::random(queue, 66, state_extents, 3);
      auto x = Placed<B, float, 3>::random(queue, 67, state_extents, 1),
           estimate = Placed<B, float, 3>::random(queue, 68, state_extents, 2);
      const auto all = Placed<B, float, 4>::random(
          queue, 69, {noises == Noises::each ? 3 : 1, tokens, images, features}, 4);
      denoise(queue, constants.view(), {.ahead = 1}, output.view(),
              noises == Noises::none ? View<float, 4>() : all.view(), nullptr, x.view(), estimate.view());
      const auto estimated = [&](Index t, Index image, Index f) {
        return 0.9 * number(x.before()[t][image][f]) - 0.4 * number(output.before()[t][image][f]);
      };
      CHECK(error(estimate.after(queue), estimated) <= rounding<float>);
      const auto added = all.before()[noises == Noises::each ? 1 : 0];
      CHECK(error(x.after(queue), [&](Index t, Index image, Index f) {
              return 0.3 * number(x.before()[t][image][f]) + 0.6 * estimated(t, image, f) -
                     0.2 * number(estimate.before()[t][image][f]) +
                     0.7 * number(output.before()[t][image][f]) +
                     (noises == Noises::none ? 0 : 0.1 * number(added[t][image][f]));
            }) <= rounding<float>);
      CHECK(x.gaps_untouched());
      CHECK(estimate.gaps_untouched());
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("denoise: estimates are clamped to their bound, and may be divided by it", B,
                          bound_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const float normalizes : {0.0f, 1.0f}) {
      const auto constants =
          constants_of<B>(queue, {.alpha = 0.9f, .sigma = 0.4f, .bound = 0.5f, .normalizes = normalizes});
      const auto output = Placed<B, float, 3>::random(queue, 70, state_extents, 3);
      auto x = Placed<B, float, 3>::random(queue, 71, state_extents, 1),
           estimate = Placed<B, float, 3>::random(queue, 71, state_extents, 2);
      denoise(queue, constants.view(), {.ahead = 1}, output.view(), {}, nullptr, x.view(), estimate.view());
      CHECK(error(x.after(queue), [&](Index t, Index image, Index f) {
              const double plain =
                  0.9 * number(x.before()[t][image][f]) - 0.4 * number(output.before()[t][image][f]);
              return std::clamp(plain, -0.5, 0.5) / (normalizes > 0 ? 0.5 : 1);
            }) <= rounding<float>);
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("denoise: the bound is the quantile of all magnitudes, clamped to [1, bound]", B,
                          quantile_conformance) {
  using weft::QuantileSearch;
  constexpr Index bins = QuantileSearch::statistics * QuantileSearch::digits;
  on_queues<B>([](typename B::Queue& queue) {
    const auto [tokens, images, features] = state_extents;
    const auto constants = constants_of<B>(
        queue, {.alpha = 2.0f, .sigma = 0.4f, .bound = 1.5f, .quantile = 0.8f, .normalizes = 1});
    const auto output = Placed<B, float, 3>::random(queue, 72, state_extents, 3);
    auto x = Placed<B, float, 3>::random(queue, 73, state_extents, 1);
    Placed<B, float, 3> found(queue, state_extents, 2), estimate(queue, state_extents, 1);
    magnitudes(queue, constants.view(), {.ahead = 1}, output.view(), x.view(), found.view());
    const auto plain = [&](Index t, Index image, Index f) {
      return 2.0 * number(x.before()[t][image][f]) - 0.4 * number(output.before()[t][image][f]);
    };
    const View<const float, 3> magnitude = found.after(queue);
    CHECK(error(magnitude, [&](Index t, Index image, Index f) { return std::abs(plain(t, image, f)); }) <=
          rounding<float>);
    CHECK(found.gaps_untouched());

    // As on two ranks that sum their counts.
    Placed<B, QuantileSearch, 1> searches(queue, {images});
    start_searches(queue, constants.view(), {.ahead = 1}, tokens * features, searches.view());
    for (int round = 0; round < QuantileSearch::rounds; ++round) {
      Placed<B, double, 2> counts[]{{queue, {images, bins}, 1}, {queue, {images, bins}, 1}};
      for (const Index rank : {0, 1})
        count_digits(queue, found.view().template slice<0>(weft::split(tokens, 2, rank)),
                     searches.view().data, round, counts[rank].view());
      const auto first = counts[0].after(queue), second = counts[1].after(queue);
      CHECK(counts[0].gaps_untouched());
      const auto sums = Placed<B, double, 2>::of(queue, {images, bins}, 3, [&](Index image, Index bin) {
        return first[image][bin] + second[image][bin];
      });
      narrow_searches(queue, sums.view(), searches.view());
    }
    denoise(queue, constants.view(), {.ahead = 1}, output.view(), {}, searches.view().data, x.view(),
            estimate.view());

    const View<const QuantileSearch, 1> ended = searches.after(queue);
    for (Index image = 0; image < images; ++image) {
      std::vector<float> sorted;
      for (Index t = 0; t < tokens; ++t)
        for (Index f = 0; f < features; ++f) sorted.push_back(magnitude[t][image][f]);
      std::sort(sorted.begin(), sorted.end());
      const float place = 0.8f * 104, below = sorted[83], above = sorted[84];
      CHECK(ended[image].value() == doctest::Approx(below + (place - 83) * (above - below)).epsilon(1e-6));
    }
    CHECK(error(estimate.after(queue), [&](Index t, Index image, Index f) {
            const double bound = std::clamp(ended[image].value(), 1.0f, 1.5f);
            return std::clamp(plain(t, image, f), -bound, bound) / bound;
          }) <= rounding<float>);
  });
}

}  // namespace conformance
