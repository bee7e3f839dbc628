// The inverse of to_tokens.
#pragma once

#include "weft/policy/tokens.hpp"

/// Writes tokens (rows, images, features) to their elements of latents (all images, the grid's extents).
template <weft::Grid G>
void from_tokens(const weft::Tensor& tokens, const G& shape, weft::Range images, const weft::Rows& rows,
                 weft::Tensor& latents) {
  weft::detail::for_each_element(
      shape, images, rows, [&tokens, &latents](weft::Index in_images, weft::Index in_tokens) {
        latents.data[static_cast<std::size_t>(in_images)] = tokens.data[static_cast<std::size_t>(in_tokens)];
      });
}
