// Images as the tokens that one rank holds, and back.
#pragma once

#include "weft/core/image.hpp"
#include "weft/core/layout.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

namespace detail {

/// Calls body(element of the images, element of the tokens) for all that are held.
template <class Body>
void for_each_element(const ImageShape& shape, Range images, const Rows& rows, Body body) {
  Index at = 0;
  for (Index m = 0; m < rows.patches(); ++m)
    for (Index t = rows.tokens(m).begin; t < rows.tokens(m).end; ++t)
      for (Index p = images.begin; p < images.end; ++p)
        for (Index f = 0; f < shape.features(); ++f) body(shape.element(p, t, f), at++);
}

}  // namespace detail

/// (all images, channels, height, width) → (rows, images, features).
inline Tensor to_tokens(const Tensor& latents, const ImageShape& shape, Range images, const Rows& rows) {
  Tensor out({rows.size(), images.size(), shape.features()});
  detail::for_each_element(shape, images, rows, [&out, &latents](Index element, Index token) {
    out.data[static_cast<std::size_t>(token)] = latents.data[static_cast<std::size_t>(element)];
  });
  return out;
}

/// (rows, images, features) into their places of (all images, channels, height, width).
inline void from_tokens(const Tensor& tokens, const ImageShape& shape, Range images, const Rows& rows,
                        Tensor& latents) {
  detail::for_each_element(shape, images, rows, [&tokens, &latents](Index element, Index token) {
    latents.data[static_cast<std::size_t>(element)] = tokens.data[static_cast<std::size_t>(token)];
  });
}

}  // namespace weft
