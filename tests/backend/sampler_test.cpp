// The sampler's operators.
#include "weft/backend/host/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "strided.hpp"

using weft::PictureShape;
using weft::QuantileSearch;
using weft::SamplerStep;
using weft::host::Queue;

namespace {

constexpr std::array<Index, 3> extents{21, 3, 5};

double sum_over_picture(const View<const float, 3>& x, Index p, double power) {
  double sum = 0;
  for (Index t = 0; t < x.extent[0]; ++t)
    for (Index f = 0; f < x.extent[2]; ++f) sum += std::pow(static_cast<double>(x[t][p][f]), power);
  return sum;
}

double deviation(const View<const float, 3>& x, Index p) {
  const auto count = static_cast<double>(x.extent[0] * x.extent[2]);
  const double mean = sum_over_picture(x, p, 1) / count;
  return std::sqrt(sum_over_picture(x, p, 2) / count - mean * mean);
}

/// Of a step that is the second of two.
class Constants {
 public:
  explicit Constants(const SamplerStep& step) : numbers_(SamplerStep::constants, 9) {
    std::ranges::copy(step.numbers(), std::back_inserter(numbers_));
  }
  View<const float, 2> view() const { return {numbers_.data(), {2, SamplerStep::constants}}; }

 private:
  std::vector<float> numbers_;
};

}  // namespace

TEST_CASE("noise: is that of the elements, wherever they are") {
  constexpr PictureShape shape{4, 8, 12, 2};
  constexpr std::uint64_t seed = 42;
  for (const int workers : worker_counts)
    for (const weft::Range tokens : {weft::Range{0, 24}, weft::Range{5, 13}, weft::Range{7, 7}}) {
      Queue queue(workers);
      Strided<3> out({tokens.size(), 2, 16}, 3);
      noise(queue, &seed, weft::Step{.ahead = 7}, shape, 1, tokens, out.view());
      CHECK(error(out.view(), [&](Index t, Index p, Index f) {
              return weft::normal(seed, 7,
                                  static_cast<std::uint64_t>(shape.element(1 + p, tokens.begin + t, f)));
            }) == 0);
      CHECK(out.gaps_untouched());
    }
}

TEST_CASE("guide: away from the negative prediction") {
  Queue queue;
  const auto negative = Strided<3>::random(1, extents, 2), before = Strided<3>::random(2, extents, 1);
  auto positive = before;
  constexpr float scale = 4.5f;
  guide(queue, negative.view(), &scale, positive.view());
  CHECK(error(positive.view(), [&](Index t, Index p, Index f) {
          const double less = negative.view()[t][p][f];
          return less + 4.5 * (before.view()[t][p][f] - less);
        }) < rounding);
  CHECK(positive.gaps_untouched());
  guide(queue, negative.view().slice<0>({2, 2}), &scale, positive.view().slice<0>({2, 2}));
}

TEST_CASE("moments: every picture's sum and sum of squares") {
  Queue queue;
  const auto x = Strided<3>::random(3, extents, 2);
  Strided<2, double> out({3, 2}, 1);
  moments(queue, x.view(), out.view());
  CHECK(error(out.view(), [&](Index p, Index i) { return sum_over_picture(x.view(), p, i ? 2.0 : 1.0); }) <
        1e-12);
  CHECK(out.gaps_untouched());
  moments(queue, x.view().slice<0>({4, 4}), out.view());
  CHECK(error(out.view(), [](Index, Index) { return 0; }) == 0);
}

TEST_CASE("rescale: moves the deviation over all patches towards the reference's") {
  Queue queue;
  const auto reference = Strided<3>::random(4, extents), before = Strided<3>::random(5, extents, 1);
  for (const float amount : {0.0f, 0.7f, 1.0f}) {
    auto x = before;
    for (Index t = 0; t < 21; ++t)
      for (Index p = 0; p < 3; ++p)
        for (Index f = 0; f < 5; ++f) x.view()[t][p][f] = 3 * before.view()[t][p][f] + 1;
    const auto original = x;
    Strided<3, double> of_x({2, 3, 2}), of_reference({2, 3, 2});
    for (Index patch = 0; patch < 2; ++patch) {
      const weft::Range part = weft::split(21, 2, patch);
      moments(queue, x.view().slice<0>(part), of_x.view()[patch]);
      moments(queue, reference.view().slice<0>(part), of_reference.view()[patch]);
    }
    rescale(queue, of_x.view(), of_reference.view(), 21 * 5, &amount, x.view());
    CHECK(error(x.view(), [&](Index t, Index p, Index f) {
            const double ratio = deviation(reference.view(), p) / deviation(original.view(), p);
            return original.view()[t][p][f] * (amount * ratio + 1 - amount);
          }) < rounding);
    if (amount == 1)
      for (Index p = 0; p < 3; ++p)
        CHECK(deviation(x.view(), p) == doctest::Approx(deviation(reference.view(), p)).epsilon(1e-5));
    CHECK(x.gaps_untouched());
  }
}

TEST_CASE("denoise: one linear step, with noise or without, that keeps its estimate") {
  constexpr SamplerStep step{.alpha = 0.9f,
                             .sigma = 0.4f,
                             .keep = 0.3f,
                             .take = 0.6f,
                             .recall = -0.2f,
                             .direct = 0.7f,
                             .noise = 0.1f};
  for (const bool noisy : {true, false}) {
    Queue queue;
    const auto before = Strided<3>::random(6, extents, 1), last = Strided<3>::random(7, extents, 2);
    const auto output = Strided<3>::random(8, extents, 3), noise = Strided<3>::random(9, extents, 4);
    auto x = before, estimate = last;
    const View<const float, 3> added = noise.view();
    denoise(queue, Constants(step).view(), {.ahead = 1}, output.view(),
            noisy ? View<const float, 4>(added.data, {1, added.extent[0], added.extent[1], added.extent[2]},
                                         {0, added.stride[0], added.stride[1], 1})
                  : View<const float, 4>(),
            nullptr, x.view(), estimate.view());
    const auto estimated = [&](Index t, Index p, Index f) {
      return 0.9 * before.view()[t][p][f] - 0.4 * output.view()[t][p][f];
    };
    CHECK(error(estimate.view(), estimated) < rounding);
    CHECK(error(x.view(), [&](Index t, Index p, Index f) {
            return 0.3 * before.view()[t][p][f] + 0.6 * estimated(t, p, f) - 0.2 * last.view()[t][p][f] +
                   0.7 * output.view()[t][p][f] + (noisy ? 0.1 * noise.view()[t][p][f] : 0);
          }) < rounding);
    CHECK(x.gaps_untouched());
    CHECK(estimate.gaps_untouched());
  }
}

TEST_CASE("denoise: estimates go no farther than their bound, and may be divided by it") {
  for (const float normalizes : {0.0f, 1.0f}) {
    const SamplerStep step{.alpha = 0.9f, .sigma = 0.4f, .bound = 0.5f, .normalizes = normalizes};
    Queue queue;
    const auto before = Strided<3>::random(6, extents, 1), output = Strided<3>::random(8, extents, 3);
    auto x = before, estimate = before;
    denoise(queue, Constants(step).view(), {.ahead = 1}, output.view(), {}, nullptr, x.view(),
            estimate.view());
    CHECK(error(x.view(), [&](Index t, Index p, Index f) {
            const double plain = 0.9 * before.view()[t][p][f] - 0.4 * output.view()[t][p][f];
            return std::clamp(plain, -0.5, 0.5) / (normalizes > 0 ? 0.5 : 1);
          }) < rounding);
  }
}

TEST_CASE("denoise: a bound is the quantile of an image's magnitudes over all ranks, from 1 to the most") {
  constexpr SamplerStep step{.alpha = 2.0f, .sigma = 0.4f, .bound = 1.5f, .quantile = 0.8f, .normalizes = 1};
  const Constants constants(step);
  Queue queue;
  const auto before = Strided<3>::random(6, extents, 1), output = Strided<3>::random(8, extents, 3);
  Strided<3> found(extents, 2);
  magnitudes(queue, constants.view(), {.ahead = 1}, output.view(), before.view(), found.view());
  CHECK(error(found.view(), [&](Index t, Index p, Index f) {
          return std::abs(2.0 * before.view()[t][p][f] - 0.4 * output.view()[t][p][f]);
        }) < rounding);
  CHECK(found.gaps_untouched());

  std::vector<QuantileSearch> searches(3);
  const View<QuantileSearch, 1> all(searches.data(), {3});
  start_searches(queue, constants.view(), {.ahead = 1}, 21 * 5, all);
  for (int round = 0; round < QuantileSearch::rounds; ++round) {
    Strided<2, double> sum({3, 512}, 1);
    for (Index p = 0; p < 3; ++p)
      for (Index bin = 0; bin < 512; ++bin) sum.view()[p][bin] = 0;
    for (Index rank = 0; rank < 2; ++rank) {
      Strided<2, double> counts({3, 512}, 1);
      count_digits(queue, found.view().slice<0>(weft::split(21, 2, rank)), searches.data(), round,
                   counts.view());
      CHECK(counts.gaps_untouched());
      for (Index p = 0; p < 3; ++p)
        for (Index bin = 0; bin < 512; ++bin) sum.view()[p][bin] += counts.view()[p][bin];
    }
    narrow_searches(queue, sum.view(), all);
  }

  auto x = before, estimate = before;
  denoise(queue, constants.view(), {.ahead = 1}, output.view(), {}, searches.data(), x.view(),
          estimate.view());
  for (Index p = 0; p < 3; ++p) {
    std::vector<float> sorted;
    for (Index t = 0; t < 21; ++t)
      for (Index f = 0; f < 5; ++f) sorted.push_back(found.view()[t][p][f]);
    std::ranges::sort(sorted);
    const float place = 0.8f * 104, below = sorted[83], above = sorted[84];
    CHECK(searches[static_cast<std::size_t>(p)].value() ==
          doctest::Approx(below + (place - 83) * (above - below)).epsilon(1e-6));
  }
  CHECK(error(estimate.view(), [&](Index t, Index p, Index f) {
          const double bound = std::clamp(searches[static_cast<std::size_t>(p)].value(), 1.0f, 1.5f);
          const double plain = 2.0 * before.view()[t][p][f] - 0.4 * output.view()[t][p][f];
          return std::clamp(plain, -bound, bound) / bound;
        }) < rounding);
}
