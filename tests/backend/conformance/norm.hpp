// Conformance of norms, against float64.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "placed.hpp"
#include "weft/backend/operators.hpp"

namespace conformance {

/// Computes LayerNorm or RMSNorm.
inline std::vector<double> normed(const std::vector<double>& x, const weft::NormWeights& weights) {
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  if (weights.kind == weft::NormKind::layer)
    for (const double value : x) mean += value / count;
  for (const double value : x) variance += (value - mean) * (value - mean) / count;
  std::vector<double> out;
  for (const double value : x)
    out.push_back((value - mean) / std::sqrt(variance + static_cast<double>(weights.epsilon)));
  return out;
}

template <class T>
void append(std::vector<double>& to, const View<const T, 1>& row) {
  for (Index i = 0; i < row.size(); ++i) to.push_back(number(row[i]));
}

/// The vectors of a norm; its weights may have none, one or both.
template <class B>
struct Affine {
  enum Parts { none, scaled, both };

  Placed<B, float, 1> scale, shift;
  weft::NormKind kind;

  Affine(typename B::Queue& queue, Index features, weft::NormKind norm_kind = weft::NormKind::layer)
      : scale(Placed<B, float, 1>::random(queue, 21, {features})),
        shift(Placed<B, float, 1>::random(queue, 22, {features})),
        kind(norm_kind) {}

  weft::NormWeights weights(Parts parts) const {
    weft::NormWeights out{.epsilon = parts == none ? 0.1f : 1e-3f, .kind = kind};
    if (parts != none) out.scale = scale.view();
    if (parts == both) out.shift = shift.view();
    return out;
  }
  double applied(Parts parts, double x, Index f) const {
    if (parts != none) x *= number(scale.before()[f]);
    return parts == both ? x + number(shift.before()[f]) : x;
  }
};

/// Returns the memory as outputs of type `Out`; operands are in the front of each row of elements.
template <class B, class Out, int Rank>
View<Out, Rank> front_of(const Placed<B, typename B::Element, Rank>& memory) {
  if constexpr (std::is_same_v<Out, typename B::Element>) {
    return memory.view();
  } else {
    return weft::as_operands<Out>(memory.view());
  }
}

template <class B, class Out>
void check_norm(typename B::Queue& queue, weft::NormKind kind, Index tokens, Index images, Index features,
                Index gaps) {
  using E = typename B::Element;
  using Parts = typename Affine<B>::Parts;
  constexpr Index step = 1;
  const Affine<B> affine(queue, features, kind);
  // With different gaps, so that neither has the strides of the other.
  const auto scales = Placed<B, float, 3>::random(queue, 23, {3, images, features}, gaps),
             shifts = Placed<B, float, 3>::random(queue, 24, {3, images, features}, 2 * gaps);
  for (const Parts parts : {Parts::none, Parts::scaled, Parts::both})
    for (const bool scales_more : {false, true})
      for (const bool shifts_more : {false, true})
        for (const bool in_place : {false, true}) {
          if (in_place && !std::is_same_v<Out, E>) continue;
          CAPTURE(features);
          CAPTURE(static_cast<int>(kind));
          CAPTURE(static_cast<int>(parts));
          CAPTURE(scales_more);
          CAPTURE(shifts_more);
          CAPTURE(in_place);
          auto x = Placed<B, E, 3>::random(queue, 25, {tokens, images, features}, gaps, 3);
          Placed<B, E, 3> other(queue, {tokens, images, features}, 2 * gaps);
          Placed<B, E, 3>& memory = in_place ? x : other;
          weft::Modulation modulation{.step = {.ahead = step}};
          if (scales_more) modulation.scale = scales.view();
          if (shifts_more) modulation.shift = shifts.view();
          const View<Out, 3> out = front_of<B, Out>(memory);
          norm(queue, x.view(), affine.weights(parts), modulation, out);
          std::vector<double> row;
          CHECK(error(memory.after(queue, out), [&](Index t, Index image, Index f) {
                  if (f == 0) {
                    row.clear();
                    append(row, x.before()[t][image]);
                    row = normed(row, affine.weights(parts));
                  }
                  double y = affine.applied(parts, row[static_cast<std::size_t>(f)], f);
                  if (scales_more) y *= 1 + number(scales.before()[step][image][f]);
                  return shifts_more ? y + number(shifts.before()[step][image][f]) : y;
                }) <= rounding<Out>);
          CHECK(memory.gaps_untouched());
        }
}

template <class B, class Out>
void check_norm_pair(typename B::Queue& queue, Index tokens, Index images, Index features, Index gaps) {
  using E = typename B::Element;
  using Parts = typename Affine<B>::Parts;
  const Affine<B> affine(queue, 2 * features);
  for (const Parts parts : {Parts::none, Parts::both}) {
    CAPTURE(features);
    const auto x = Placed<B, E, 3>::random(queue, 26, {tokens, images, features}, gaps),
               skip = Placed<B, E, 3>::random(queue, 27, {tokens, images, features}, 2 * gaps, 4);
    Placed<B, E, 3> memory(queue, {tokens, images, 2 * features}, gaps);
    const View<Out, 3> out = front_of<B, Out>(memory);
    norm_pair(queue, x.view(), skip.view(), affine.weights(parts), out);
    std::vector<double> row;
    CHECK(error(memory.after(queue, out), [&](Index t, Index image, Index f) {
            if (f == 0) {
              row.clear();
              append(row, x.before()[t][image]);
              append(row, skip.before()[t][image]);
              row = normed(row, affine.weights(parts));
            }
            return affine.applied(parts, row[static_cast<std::size_t>(f)], f);
          }) <= rounding<Out>);
    CHECK(memory.gaps_untouched());
  }
}

/// Widths of rows: odd ones, multiples of 8, and more than fit the registers of a warp on a GPU.
constexpr Index norm_widths[] = {1, 13, 64, 1000, 1027, 3080};

TEST_CASE_TEMPLATE_DEFINE("norm: LayerNorm or RMSNorm, affine or not, then each image's modulation", B,
                          norm_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index features : norm_widths)
      for (const Index tokens : {0, 1, features > 100 ? 3 : 70})
        for (const Index gaps : {0, 2, 8}) {
          for (const weft::NormKind kind : {weft::NormKind::layer, weft::NormKind::rms}) {
            check_norm<B, typename B::Element>(queue, kind, tokens, 2, features, gaps);
            if constexpr (!std::is_same_v<typename B::Element, typename B::Operand>)
              check_norm<B, typename B::Operand>(queue, kind, tokens, 2, features, gaps);
          }
        }
  });
}

TEST_CASE_TEMPLATE_DEFINE("norm_pair: LayerNorm over both inputs, concatenated", B, norm_pair_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index features : norm_widths)
      for (const Index tokens : {0, 1, features > 100 ? 3 : 50})
        for (const Index gaps : {0, 2, 8})
          check_norm_pair<B, typename B::Operand>(queue, tokens, 3, features, gaps);
  });
}

TEST_CASE_TEMPLATE_DEFINE("norm: numbers far from 0 keep their deviation", B, norm_offset_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index features : {64, 3080}) {
      auto x = Placed<B, E, 3>::random(queue, 28, {1, 1, features});
      Placed<B, float, 3> numbers(queue, {1, 1, features});
      for (Index f = 0; f < features; ++f) {
        const float value = 96 + static_cast<float>(f % 2);  // which bfloat16 holds
        fill(queue, value, View<float, 1>(numbers.view().data + f, {1}));
      }
      copy(queue, View<const float, 3>(numbers.view()), x.view());
      norm(queue, x.view(), {}, {}, x.view());
      CHECK(error(x.after(queue), [](Index, Index, Index f) { return f % 2 ? 1 : -1; }) <= 10 * rounding<E>);
    }
  });
}

}  // namespace conformance
