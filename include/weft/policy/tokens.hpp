// Converts images, or other states, to the tokens that one rank holds.
#pragma once

#include <cstddef>
#include <vector>

#include "weft/core/grid.hpp"
#include "weft/core/layout.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// Calls body(index in the images, index in the tokens) for all elements that the rank holds.
template <Grid G, class Body>
void for_each_element(const G& shape, Range images, const Rows& rows, Body body) {
  std::vector<Index> offsets;  // of a token's features from its first
  for (Index f = 0; f < shape.features(); ++f) offsets.push_back(shape.element(0, 0, f));
  Index at = 0;
  for (Index m = 0; m < rows.patches(); ++m)
    for (Index t = rows.tokens(m).begin; t < rows.tokens(m).end; ++t)
      for (Index p = images.begin; p < images.end; ++p) {
        const Index first = shape.element(p, t, 0);
        for (const Index offset : offsets) body(first + offset, at++);
      }
}

}  // namespace detail

/// Returns the rank's tokens, (rows, images, features), of latents (all images, the grid's extents).
template <Grid G>
[[nodiscard]] Tensor to_tokens(const Tensor& latents, const G& shape, Range images, const Rows& rows) {
  Tensor out({rows.size(), images.size(), shape.features()});
  detail::for_each_element(shape, images, rows, [&out, &latents](Index in_images, Index in_tokens) {
    out.data[static_cast<std::size_t>(in_tokens)] = latents.data[static_cast<std::size_t>(in_images)];
  });
  return out;
}

}  // namespace weft::inline v0_1
