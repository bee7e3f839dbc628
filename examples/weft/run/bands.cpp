#include "bands.hpp"

#include <algorithm>

#include "weft/core/range.hpp"

namespace command {

LatentBands cut_into_bands(const weft::Tensor& latents, weft::Index ranks) {
  LatentBands out{.height = latents.shape[2]};
  const weft::Index planes = latents.shape[0] * latents.shape[1], width = latents.shape[3];
  for (weft::Index rank = 0; rank < ranks; ++rank) {
    const weft::Range rows = weft::split(out.height, ranks, rank);
    weft::Tensor& band =
        out.of_rank.emplace_back(weft::Shape{latents.shape[0], latents.shape[1], rows.size(), width});
    auto next = band.data.begin();
    for (weft::Index plane = 0; plane < planes; ++plane)
      next = std::copy_n(latents.data.begin() + (plane * out.height + rows.begin) * width,
                         rows.size() * width, next);
  }
  return out;
}

}  // namespace command
