// decoded: an image from a rank's band of latents, with those of the other ranks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "weft/comm/world.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/decoder.hpp"

namespace weft::inline v0_1::vae {

/// Decodes this rank's `band` (images, channels, rows, width) of latents of so many rows. Returns the images
/// on rank 0, and an empty tensor elsewhere.
template <ImageBackend Backend, World WorldType>
[[nodiscard]] Tensor decoded(typename Backend::Queue& queue, const AutoencoderKL<Backend>& model,
                             const View<const float, 4>& band, Index height, WorldType& world) {
  using Element = typename Backend::Element;
  using Comm = typename WorldType::Communicator;
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  std::iota(all.begin(), all.end(), 0);
  Bands<Backend, Comm> bands(world.split("bands", all), height, band.extent[3]);
  Decoder<Backend, Comm> decoder(queue, model, bands);

  const bool collects = world.rank() == 0, returns = collects && holds_numbers<Backend>;
  const Index images = band.extent[0], channels = model.config().out_channels,
              rows = height * model.config().scale(), columns = band.extent[3] * model.config().scale();
  Tensor out;
  if (returns && images > 1) out = Tensor({images, channels, rows, columns});
  const std::array<Index, 3> extents{collects ? rows : 0, columns, channels},
      planar{channels, extents[0], columns};
  const typename Backend::template Buffer<Element> gathered(queue, extents[0] * columns * channels + 1);
  for (Index i = 0; i < images; ++i) {
    bands.gather(queue, decoder.decode(band[i]), gathered.view(extents));
    if (!collects) continue;
    const typename Backend::template Buffer<float> planes(queue, extents[0] * columns * channels);
    to_planes(queue, gathered.view(extents), planes.view(planar));
    if (!returns) continue;
    Tensor image = download(queue, planes.view(planar));
    if (images == 1) {
      out = std::move(image);
      out.shape = {1, channels, rows, columns};
    } else {
      std::ranges::copy(image.data, out.view<4>()[i].data);
    }
  }
  return out;
}

}  // namespace weft::inline v0_1::vae
