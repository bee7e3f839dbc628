// Conformance of norm_rotate and move_heads, against float64.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "norm.hpp"

namespace conformance {

/// Angles of tokens; cos and sin have different strides.
template <class B>
struct Angles {
  Placed<B, float, 2> cos, sin;

  Angles(typename B::Queue& queue, Index tokens, Index head_dim)
      : cos(Placed<B, float, 2>::random(queue, 31, {tokens, head_dim}, 8)),
        sin(Placed<B, float, 2>::random(queue, 32, {tokens, head_dim}, 16)) {}

  weft::Rotation rotation() const { return {cos.view(), sin.view()}; }
};

/// Returns a head normed, unless `affine` is null.
template <class B, class T>
std::vector<double> normed_head(const View<const T, 1>& x, const Affine<B>* affine,
                                typename Affine<B>::Parts parts) {
  std::vector<double> head;
  append(head, x);
  if (affine) {
    head = normed(head, affine->weights(parts));
    for (std::size_t i = 0; i < head.size(); ++i)
      head[i] = affine->applied(parts, head[i], static_cast<Index>(i));
  }
  return head;
}

/// Returns feature `d` of a head of token t, rotated unless `angles` is null.
template <class B>
Sum rotated(const View<const double, 1>& head, const Angles<B>* angles, Index t, Index d) {
  if (!angles) return head[d];
  const double cosine = head[d] * number(angles->cos.before()[t][d]),
               sine = (d % 2 ? 1 : -1) * head[d ^ 1] * number(angles->sin.before()[t][d]);
  return {cosine + sine, std::abs(cosine) + std::abs(sine)};
}

/// Returns feature `d` of the head at (t, image, h): normed, unless `affine` is null, then rotated, unless
/// `angles` is.
template <class B>
double expected_head(const View<const typename B::Element, 4>& x, const Affine<B>* affine,
                     typename Affine<B>::Parts parts, const Angles<B>* angles, Index t, Index image, Index h,
                     Index d) {
  const std::vector<double> head = normed_head(x[t][image][h], affine, parts);
  return rotated({head.data(), {x.extent[3]}}, angles, t, d).value;
}

TEST_CASE_TEMPLATE_DEFINE("norm_rotate: every head is normed, or not, then rotated, or not", B,
                          norm_rotate_conformance) {
  using E = typename B::Element;
  using Parts = typename Affine<B>::Parts;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index head_dim : {8, 18, 48, 88, 128})
      for (const Index tokens : {0, 1, 2, 40}) {
        const Affine<B> affine(queue, head_dim,
                               tokens % 40 != 0 ? weft::NormKind::rms : weft::NormKind::layer);
        const Angles<B> angles(queue, tokens, head_dim);
        for (const bool norms : {false, true})
          for (const Parts parts : {Parts::none, Parts::scaled, Parts::both})
            for (const bool rotates : {false, true})
              for (const bool in_place : {false, true}) {
                if (!norms && parts != Parts::none) continue;
                CAPTURE(head_dim);
                CAPTURE(norms);
                CAPTURE(static_cast<int>(parts));
                CAPTURE(rotates);
                CAPTURE(in_place);
                auto x = Placed<B, E, 4>::random(queue, 33, {tokens, 2, 3, head_dim}, head_gap);
                Placed<B, E, 4> other(queue, {tokens, 2, 3, head_dim}, 2 * head_gap);
                Placed<B, E, 4>& out = in_place ? x : other;
                const weft::NormWeights weights = affine.weights(parts);
                norm_rotate(queue, x.view(), norms ? &weights : nullptr,
                            rotates ? angles.rotation() : weft::Rotation{}, out.view());
                CHECK(error(out.after(queue), [&](Index t, Index image, Index h, Index d) {
                        return expected_head<B>(x.before(), norms ? &affine : nullptr, parts,
                                                rotates ? &angles : nullptr, t, image, h, d);
                      }) <= 2 * rounding<E>);
                CHECK(out.gaps_untouched());
              }
      }
  });
}

// More moves than a kernel of any backend takes at once, all different.
TEST_CASE_TEMPLATE_DEFINE("move_heads: many different moves", B, move_heads_conformance) {
  using E = typename B::Element;
  using Parts = typename Affine<B>::Parts;
  on_queues<B>([](typename B::Queue& queue) {
    constexpr Index head_dim = 16, images = 2;
    const Affine<B> affine(queue, head_dim, weft::NormKind::rms);
    const Angles<B> angles(queue, 9, head_dim);
    const weft::NormWeights weights = affine.weights(Parts::both);
    std::vector<Placed<B, E, 4>> from, to;
    std::vector<weft::HeadMove<E>> moves;
    for (Index i = 0; i < 53; ++i) {
      const std::array<Index, 4> extents{i % 10, images, 1 + i % 5, head_dim};
      from.push_back(Placed<B, E, 4>::random(queue, static_cast<unsigned>(i), extents, head_gap));
      to.push_back(Placed<B, E, 4>(queue, extents, 2 * head_gap));
      moves.push_back({from.back().view(), to.back().view(), i % 2 ? &weights : nullptr,
                       i % 3 ? angles.rotation().rows({0, extents[0]}) : weft::Rotation{}});
    }
    move_heads(queue, moves);
    for (Index i = 0; i < 53; ++i) {
      const auto at = static_cast<std::size_t>(i);
      CAPTURE(i);
      CHECK(error(to[at].after(queue), [&](Index t, Index image, Index h, Index d) {
              return expected_head<B>(from[at].before(), i % 2 ? &affine : nullptr, Parts::both,
                                      i % 3 ? &angles : nullptr, t, image, h, d);
            }) <= 2 * rounding<E>);
      CHECK(to[at].gaps_untouched());
    }
    move_heads(queue, std::vector<weft::HeadMove<E>>{});
  });
}

}  // namespace conformance
