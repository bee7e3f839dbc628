// Latents as diffusers packs them for FLUX: (images, tokens, features).
#pragma once

#include "weft/core/image.hpp"
#include "weft/core/tensor.hpp"

namespace command {

/// Returns (images, tokens, features) as (images, channels, height, width) of patches of two by two.
[[nodiscard]] inline weft::Tensor unpacked(const weft::Tensor& packed, weft::Index height,
                                           weft::Index width) {
  const weft::ImageShape image{packed.shape[2] / 4, height, width, 2};
  weft::Tensor out({packed.shape[0], image.channels, height, width});
  std::size_t next = 0;
  for (weft::Index i = 0; i < packed.shape[0]; ++i)
    for (weft::Index token = 0; token < image.tokens(); ++token)
      for (weft::Index feature = 0; feature < image.features(); ++feature)
        out.data[static_cast<std::size_t>(image.element(i, token, feature))] = packed.data[next++];
  return out;
}

/// Returns (images, channels, height, width) as (images, tokens, features).
[[nodiscard]] inline weft::Tensor packed(const weft::Tensor& latents) {
  const weft::ImageShape image{latents.shape[1], latents.shape[2], latents.shape[3], 2};
  weft::Tensor out({latents.shape[0], image.tokens(), image.features()});
  std::size_t next = 0;
  for (weft::Index i = 0; i < latents.shape[0]; ++i)
    for (weft::Index token = 0; token < image.tokens(); ++token)
      for (weft::Index feature = 0; feature < image.features(); ++feature)
        out.data[next++] = latents.data[static_cast<std::size_t>(image.element(i, token, feature))];
  return out;
}

}  // namespace command
