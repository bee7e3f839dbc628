// The operators on images that autoencoders ask for: convolutions and group norms of bands of rows,
// channels last.
#pragma once

#include "weft/backend/backend.hpp"

namespace weft::inline v0_1 {

/// Rows of the image that a view of a band has beside the band's own: one above and below, or none where the
/// image ends.
struct Halo {
  Index above = 0, below = 0;
};

/// Group norm, then an activation: Wu and He, "Group Normalization", 2018.
struct GroupNorm {
  NormWeights affine{};             // scale and shift (channels), and epsilon
  View<const double, 2> moments{};  // (groups, 2): sum and sum of squares over the image; empty: no norm
  Index count = 0;                  // of the numbers in a group, over the image
  Activation activation = Activation::none;

  bool empty() const { return moments.empty(); }
  Index groups() const { return moments.extent[0]; }
};

/// A convolution of 3 × 3 with stride 1, zeros around the image: nine taps of one phase, row by row. Where
/// the image is enlarged to twice its size before (nearest neighbour), it is one of 2 × 2 of the small image
/// for each of the four pixels that one becomes: four taps of four phases.
template <class Element>
struct ConvolutionWeights {
  View<const Element, 4> taps{};  // (phases, taps, out, in)
  View<const Element, 1> bias{};  // (out)

  Index scale() const { return taps.extent[0] == 4 ? 2 : 1; }
  Index outputs() const { return taps.extent[2]; }
  Index inputs() const { return taps.extent[3]; }
};

/// Bytes of the block in which a device convolves some rows of a band at a time, or attends to pixels; where
/// rows are longer, those of one row and its neighbours.
inline constexpr Index image_workspace_bytes = Index{256} << 20;

/// The row and column of a pixel among those of a small square.
struct PixelOffset {
  Index row, column;
};

/// Returns which pixel of a pixel's 3 × 3 neighbours a tap reads, for a phase of a convolution that enlarges
/// by `scale`.
constexpr PixelOffset tap_offset(Index scale, Index phase, Index tap) {
  const Index side = scale == 2 ? 2 : 3;
  return {phase / scale + tap / side, phase % scale + tap % side};
}

namespace detail {

template <class E>
struct ImageArguments {
  View<E, 3> pixels;
  View<float, 3> planes;
  View<double, 2> moments;
  GroupNorm norm;
  ConvolutionWeights<E> weights;
};

}  // namespace detail

/// A backend that has the operators on images.
template <class B>
concept ImageBackend = Backend<B> &&
    requires(typename B::Queue& queue, const detail::ImageArguments<typename B::Element>& a) {
  group_moments(queue, a.pixels, a.moments);
  group_norm(queue, a.pixels, a.norm, a.pixels);
  to_planes(queue, a.pixels, a.planes);
  convolve(queue, a.pixels, Halo{}, a.norm, a.weights, a.pixels, a.pixels);
};

}  // namespace weft::inline v0_1
