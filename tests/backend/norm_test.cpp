#include "weft/backend/host/norm.hpp"

#include <doctest/doctest.h>

#include "strided.hpp"

using weft::Modulation;
using weft::NormWeights;
using weft::Range;
using weft::Rotation;
using weft::host::Queue;

namespace {

/// LayerNorm of some numbers, in double.
std::vector<double> normed(const std::vector<double>& x, double epsilon) {
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / count;
  for (const double value : x) variance += (value - mean) * (value - mean) / count;
  std::vector<double> out;
  for (const double value : x) out.push_back((value - mean) / std::sqrt(variance + epsilon));
  return out;
}

template <class... Rows>
std::vector<double> joined(const Rows&... rows) {
  std::vector<double> out;
  (out.insert(out.end(), rows.data, rows.data + rows.size()), ...);
  return out;
}

double affine(const NormWeights& weights, double x, Index f) {
  if (!weights.scale.empty()) x *= weights.scale[f];
  return weights.shift.empty() ? x : x + weights.shift[f];
}

struct Affine {
  Strided<1> scale, shift;
  NormWeights none, scaled, both;

  explicit Affine(Index features)
      : scale(Strided<1>::random(1, {features})),
        shift(Strided<1>::random(2, {features})),
        none{.epsilon = 0.1f},
        scaled{.scale = scale.view()},
        both{scale.view(), shift.view(), 1e-3f} {}
};

}  // namespace

TEST_CASE("norm: LayerNorm, affine or not, then each picture's own modulation") {
  const Affine affines(13);
  const auto scales = Strided<3>::random(3, {3, 2, 13}, 4), shifts = Strided<3>::random(4, {3, 2, 13}, 4);
  const Modulation modulations[] = {
      {}, {.shift = shifts.view(), .step = {.ahead = 2}}, {scales.view(), shifts.view(), {.ahead = 1}}};
  for (const int workers : worker_counts)
    for (const Index tokens : {0, 1, 70})
      for (const NormWeights& weights : {affines.none, affines.scaled, affines.both})
        for (const Modulation& modulation : modulations)
          for (const bool in_place : {true, false}) {
            Queue queue(workers);
            const auto x = Strided<3>::random(5, {tokens, 2, 13}, 3);
            Strided<3> out = in_place ? x : Strided<3>({tokens, 2, 13}, 1);
            norm(queue, in_place ? out.view() : x.view(), weights, modulation, out.view());
            CHECK(error(out.view(), [&](Index t, Index p, Index f) {
                    double y = normed(joined(x.view()[t][p]), weights.epsilon)[static_cast<std::size_t>(f)];
                    y = affine(weights, y, f);
                    if (!modulation.scale.empty()) y *= 1 + modulation.scale[modulation.step.index()][p][f];
                    return modulation.shift.empty() ? y : y + modulation.shift[modulation.step.index()][p][f];
                  }) < rounding);
            CHECK(out.gaps_untouched());
          }
}

TEST_CASE("norm: numbers far from 0 keep their deviation") {
  Queue queue;
  Strided<3> x({1, 1, 64}), out({1, 1, 64});
  for (Index f = 0; f < 64; ++f) x.view()[0][0][f] = 1000 + static_cast<float>(f % 2);
  norm(queue, x.view(), {}, {}, out.view());
  CHECK(error(out.view(), [](Index, Index, Index f) { return f % 2 ? 1 : -1; }) < 1e-4);
}

TEST_CASE("norm_pair: over both, side by side") {
  const Affine affines(10);
  for (const int workers : worker_counts)
    for (const Index tokens : {0, 1, 50})
      for (const NormWeights& weights : {affines.none, affines.both}) {
        Queue queue(workers);
        const auto x = Strided<3>::random(6, {tokens, 3, 5}, 1),
                   skip = Strided<3>::random(7, {tokens, 3, 5}, 2);
        Strided<3> out({tokens, 3, 10}, 3);
        norm_pair(queue, x.view(), skip.view(), weights, out.view());
        CHECK(error(out.view(), [&](Index t, Index p, Index f) {
                const auto all = normed(joined(x.view()[t][p], skip.view()[t][p]), weights.epsilon);
                return affine(weights, all[static_cast<std::size_t>(f)], f);
              }) < rounding);
        CHECK(out.gaps_untouched());
      }
}

TEST_CASE("norm_rotate: every head is normed, or not, then rotated by its token's angles, or not") {
  const Index head_dim = 8;
  const Affine affines(head_dim);
  for (const int workers : worker_counts)
    for (const Index tokens : {0, 1, 40})
      for (const NormWeights* weights :
           {static_cast<const NormWeights*>(nullptr), &affines.none, &affines.both})
        for (const bool rotated : {true, false})
          for (const bool in_place : {true, false}) {
            Queue queue(workers);
            auto cos = Strided<2>::random(8, {tokens, head_dim}, 5),
                 sin = Strided<2>::random(9, {tokens, head_dim}, 5);
            const auto x = Strided<4>::random(10, {tokens, 2, 3, head_dim}, 4);
            Strided<4> out = in_place ? x : Strided<4>({tokens, 2, 3, head_dim}, 1);
            norm_rotate(queue, in_place ? out.view() : x.view(), weights,
                        rotated ? Rotation{cos.view(), sin.view()} : Rotation{}, out.view());
            CHECK(error(out.view(), [&](Index t, Index p, Index h, Index d) {
                    std::vector<double> head = joined(x.view()[t][p][h]);
                    if (weights) {
                      head = normed(head, weights->epsilon);
                      for (Index i = 0; i < head_dim; ++i)
                        head[static_cast<std::size_t>(i)] =
                            affine(*weights, head[static_cast<std::size_t>(i)], i);
                    }
                    const double own = head[static_cast<std::size_t>(d)],
                                 other = head[static_cast<std::size_t>(d ^ 1)];
                    if (!rotated) return own;
                    return own * cos.view()[t][d] + (d % 2 ? 1 : -1) * other * sin.view()[t][d];
                  }) < rounding);
            CHECK(out.gaps_untouched());
          }
}

TEST_CASE("Rotation: of some rows, or none") {
  const auto cos = Strided<2>::random(11, {6, 4}), sin = Strided<2>::random(12, {6, 4});
  const Rotation part = Rotation{cos.view(), sin.view()}.rows({2, 5});
  CHECK(part.cos.data == cos.view()[2].data);
  CHECK(part.sin.extent[0] == 3);
  CHECK(Rotation{}.rows({2, 5}).cos.empty());
}
