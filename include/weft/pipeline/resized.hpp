// Resizing of decoded images, as PixArt's pipelines do it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "weft/core/tensor.hpp"
#include "weft/pipeline/image_size.hpp"

namespace weft::inline v0_1::pipeline {

namespace detail {

/// The two elements of a line between which a resized one lies.
struct Tap {
  Index low, high;
  float share;  // of the higher one
};

/// Returns the taps of elements `begin` to `begin + count` of a line of `from` that is resized to `to`.
inline std::vector<Tap> taps(Index from, Index to, Index begin, Index count) {
  const float step = static_cast<float>(from) / static_cast<float>(to);
  std::vector<Tap> out;
  for (Index i = begin; i < begin + count; ++i) {
    const float at = std::max((static_cast<float>(i) + 0.5f) * step - 0.5f, 0.0f);
    const Index low = std::min(static_cast<Index>(at), from - 1);
    out.push_back({low, std::min(low + 1, from - 1), at - static_cast<float>(low)});
  }
  return out;
}

}  // namespace detail

/// Returns images (images, channels, height, width) resized bilinearly, with their ratio, until they cover
/// `size`, and cropped to it around the centre.
[[nodiscard]] inline Tensor covering(const Tensor& images, const PixelSize& size) {
  const View<const float, 4> from = images.view<4>();
  const Index height = from.extent[2], width = from.extent[3];
  if (PixelSize{height, width} == size) return images;
  const double ratio = std::max(static_cast<double>(size.height) / static_cast<double>(height),
                                static_cast<double>(size.width) / static_cast<double>(width));
  const auto grown = [ratio](Index side, Index least) {
    return std::max(static_cast<Index>(static_cast<double>(side) * ratio), least);
  };
  const Index rows = grown(height, size.height), columns = grown(width, size.width);
  const auto of_rows = detail::taps(height, rows, (rows - size.height) / 2, size.height);
  const auto of_columns = detail::taps(width, columns, (columns - size.width) / 2, size.width);

  Tensor out({from.extent[0], from.extent[1], size.height, size.width});
  float* next = out.data.data();
  for (Index image = 0; image < from.extent[0]; ++image)
    for (Index c = 0; c < from.extent[1]; ++c) {
      const View<const float, 2> plane = from[image][c];
      for (const detail::Tap& y : of_rows)
        for (const detail::Tap& x : of_columns) {
          const auto between = [&x](const View<const float, 1>& row) {
            return (1 - x.share) * row[x.low] + x.share * row[x.high];
          };
          *next++ = (1 - y.share) * between(plane[y.low]) + y.share * between(plane[y.high]);
        }
    }
  return out;
}

}  // namespace weft::inline v0_1::pipeline
