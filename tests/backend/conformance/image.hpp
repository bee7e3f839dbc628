// Conformance of the operators on images, against float64.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "linear.hpp"
#include "norm.hpp"
#include "placed.hpp"
#include "weft/backend/image_operators.hpp"

namespace conformance {

/// The numbers of an image (rows, columns, channels), zeros outside.
template <class T>
double pixel(const View<const T, 3>& image, Index row, Index column, Index channel) {
  const bool inside = 0 <= row && row < image.extent[0] && 0 <= column && column < image.extent[1];
  return inside ? number(image[row][column][channel]) : 0;
}

/// A group norm of given moments.
template <class B>
struct PlacedNorm {
  Affine<B> affine;
  Placed<B, double, 2> moments;
  weft::GroupNorm norm;

  PlacedNorm(typename B::Queue& queue, Index channels, Index groups, weft::Activation activation)
      : affine(queue, channels),
        moments(Placed<B, double, 2>::of(queue, {groups, 2}, 0,
                                         [](Index g, Index moment) {
                                           const double mean = 0.25 * static_cast<double>(g) - 0.5;
                                           return 100 * (moment == 0 ? mean : mean * mean + 0.5 + mean);
                                         })),
        norm{affine.weights(Affine<B>::both), moments.view(), 100, activation} {}

  double operator()(double x, Index channel) const {
    const Index channels = affine.scale.before().size(), group = channel / (channels / norm.groups());
    const double mean = number(moments.before()[group][0]) / 100,
                 variance = number(moments.before()[group][1]) / 100 - mean * mean;
    const double y = (x - mean) / std::sqrt(variance + static_cast<double>(norm.affine.epsilon));
    return activated(norm.activation, affine.applied(Affine<B>::both, y, channel));
  }
};

TEST_CASE_TEMPLATE_DEFINE("group_moments: sums and sums of squares of every group", B,
                          group_moments_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    using Extents = std::array<Index, 4>;  // rows, columns, channels, groups
    for (const auto& [rows, columns, channels, groups] :
         {Extents{0, 5, 6, 2}, {1, 1, 3, 3}, {5, 7, 24, 8}, {9, 33, 64, 1}, {70, 40, 512, 32}})
      for (const Index gaps : {0, 2}) {
        CAPTURE(channels);
        const auto x = Placed<B, typename B::Element, 3>::random(queue, 61, {rows, columns, channels}, gaps);
        Placed<B, double, 2> out(queue, {groups, 2});
        group_moments(queue, x.view(), out.view());
        const auto wanted = [&x, width = channels / groups](Index group, Index moment) {
          double sum = 0;
          for (Index r = 0; r < x.before().extent[0]; ++r)
            for (Index p = 0; p < x.before().extent[1]; ++p)
              for (Index c = group * width; c < (group + 1) * width; ++c)
                sum += std::pow(number(x.before()[r][p][c]), static_cast<double>(moment) + 1);
          return sum;
        };
        CHECK(error(out.after(queue), wanted) < 1e-9);
      }
  });
}

TEST_CASE_TEMPLATE_DEFINE("group_norm: by the moments of the image, affine, then activated", B,
                          group_norm_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const auto activation : {weft::Activation::none, weft::Activation::silu})
      for (const Index rows : {0, 1, 13})
        for (const Index gaps : {0, 2})
          for (const bool in_place : {false, true}) {
            const PlacedNorm<B> norm(queue, 24, 8, activation);
            auto x = Placed<B, E, 3>::random(queue, 62, {rows, 5, 24}, gaps);
            Placed<B, E, 3> other(queue, {rows, 5, 24}, 2 * gaps);
            Placed<B, E, 3>& out = in_place ? x : other;
            group_norm(queue, x.view(), norm.norm, out.view());
            CHECK(error(out.after(queue), [&](Index r, Index p, Index c) {
                    return norm(number(x.before()[r][p][c]), c);
                  }) <= rounding<E>);
            CHECK(out.gaps_untouched());
          }
  });
}

TEST_CASE_TEMPLATE_DEFINE("to_planes: pixels' channels as planes, in float32", B, to_planes_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index gaps : {0, 2}) {
      const auto x = Placed<B, E, 3>::random(queue, 67, {7, 5, 3}, gaps);
      Placed<B, float, 3> out(queue, {3, 7, 5});
      to_planes(queue, x.view(), out.view());
      CHECK(error(out.after(queue), [&](Index c, Index r, Index p) { return number(x.before()[r][p][c]); }) ==
            0);
    }
  });
}

/// A convolution's case: the band's own rows, and what surrounds them.
struct ConvolutionCase {
  Index rows, columns, inputs, outputs, scale;
  weft::Halo halo;
  bool norms, adds, in_place;
};

template <class B>
void check_convolution(typename B::Queue& queue, const ConvolutionCase& is, Index gaps) {
  using E = typename B::Element;
  CAPTURE(is.rows);
  CAPTURE(is.columns);
  CAPTURE(is.inputs);
  CAPTURE(is.outputs);
  CAPTURE(is.scale);
  const Index side = is.scale == 2 ? 2 : 3;
  const auto x = Placed<B, E, 3>::random(
      queue, 63, {is.halo.above + is.rows + is.halo.below, is.columns, is.inputs}, gaps);
  const double deviation = 1 / std::sqrt(static_cast<double>(side * side * is.inputs));
  const auto taps = Placed<B, E, 4>::random(
      queue, 64, {is.scale * is.scale, side * side, is.outputs, is.inputs}, 0, deviation);
  const auto bias = Placed<B, E, 1>::random(queue, 65, {is.outputs});
  const std::array<Index, 3> extents{is.rows * is.scale, is.columns * is.scale, is.outputs};
  auto residual = Placed<B, E, 3>::random(queue, 66, extents, gaps);
  Placed<B, E, 3> other(queue, extents, 2 * gaps);
  Placed<B, E, 3>& out = is.in_place ? residual : other;
  const PlacedNorm<B> norm(queue, is.inputs, 2, weft::Activation::silu);

  convolve(queue, x.view(), is.halo, is.norms ? norm.norm : weft::GroupNorm{},
           weft::ConvolutionWeights<E>{taps.view(), bias.view()}, is.adds ? residual.view() : View<E, 3>{},
           out.view());

  const auto wanted = [&](Index row, Index column, Index o) {
    const Index from_row = row / is.scale, from_column = column / is.scale,
                phase = row % is.scale * is.scale + column % is.scale;
    Sum sum = 0;
    const auto add = [&sum](double term) {
      sum.value += term;
      sum.magnitude += std::abs(term);
    };
    add(number(bias.before()[o]));
    if (is.adds) add(number(residual.before()[row][column][o]));
    for (Index tap = 0; tap < side * side; ++tap) {
      const Index r = from_row + phase / is.scale + tap / side - 1 + is.halo.above,
                  p = from_column + phase % is.scale + tap % side - 1;
      if (r < 0 || r >= x.before().extent[0] || p < 0 || p >= is.columns) continue;
      for (Index c = 0; c < is.inputs; ++c) {
        const double value = pixel(x.before(), r, p, c);
        add(number(taps.before()[phase][tap][o][c]) * (is.norms ? norm(value, c) : value));
      }
    }
    return sum;
  };
  CHECK(error(out.after(queue), wanted) <= 2 * rounding<E>);
  CHECK(out.gaps_untouched());
}

TEST_CASE_TEMPLATE_DEFINE("convolve: a band with or without neighbours, normed, enlarged, added", B,
                          convolve_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index scale : {1, 2})
      for (const weft::Halo halo : {weft::Halo{0, 0}, weft::Halo{1, 0}, weft::Halo{0, 1}, weft::Halo{1, 1}})
        for (const bool norms : {false, true})
          for (const bool adds : {false, true})
            for (const bool in_place : {false, adds}) {
              check_convolution<B>(queue, {5, 7, 4, 6, scale, halo, norms, adds, in_place}, 0);
              check_convolution<B>(queue, {1, 1, 8, 3, scale, halo, norms, adds, in_place}, 2);
              check_convolution<B>(queue, {0, 3, 8, 3, scale, {}, norms, adds, in_place}, 0);
            }
    check_convolution<B>(queue, {40, 260, 16, 8, 1, {1, 1}, true, true, true}, 0);  // in several blocks
    check_convolution<B>(queue, {20, 260, 8, 8, 2, {1, 0}, false, false, false}, 0);
    check_convolution<B>(queue, {3, 5, 64, 32, 1, {0, 1}, true, false, false}, 0);
  });
}

}  // namespace conformance
