// Pictures as the tokens that one rank holds, and back.
#pragma once

#include "weft/core/picture.hpp"
#include "weft/core/tensor.hpp"
#include "weft/policy/layout.hpp"

namespace weft {

namespace detail {

/// Calls body(element of the pictures, element of the tokens) for all that are held.
template <class Body>
void for_each_element(const PictureShape& shape, Range pictures, const Rows& rows, Body body) {
  Index at = 0;
  for (Index m = 0; m < rows.patches(); ++m)
    for (Index t = rows.tokens(m).begin; t < rows.tokens(m).end; ++t)
      for (Index p = pictures.begin; p < pictures.end; ++p)
        for (Index f = 0; f < shape.features(); ++f) body(shape.element(p, t, f), at++);
}

}  // namespace detail

/// (all pictures, channels, height, width) → (rows, pictures, features).
inline Tensor to_tokens(const Tensor& images, const PictureShape& shape, Range pictures, const Rows& rows) {
  Tensor out({rows.size(), pictures.size(), shape.features()});
  detail::for_each_element(shape, pictures, rows, [&out, &images](Index image, Index token) {
    out.data[static_cast<std::size_t>(token)] = images.data[static_cast<std::size_t>(image)];
  });
  return out;
}

/// (rows, pictures, features) into their places of (all pictures, channels, height, width).
inline void from_tokens(const Tensor& tokens, const PictureShape& shape, Range pictures, const Rows& rows,
                        Tensor& images) {
  detail::for_each_element(shape, pictures, rows, [&tokens, &images](Index image, Index token) {
    images.data[static_cast<std::size_t>(image)] = tokens.data[static_cast<std::size_t>(token)];
  });
}

}  // namespace weft
