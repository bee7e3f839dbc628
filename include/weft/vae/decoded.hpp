// decoded: images from a rank's band of latents, with those of the other ranks.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "weft/core/progress.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/decoder.hpp"

namespace weft::inline v0_1::vae {

/// Decodes this rank's `band` (images, channels, rows, width) of latents, one image after the other, each in
/// a pass of the workspace. Returns the images on rank 0, and an empty tensor elsewhere. `progress` is called
/// as they are decoded.
template <ImageBackend Backend, Communicator Comm>
[[nodiscard]] Tensor decoded(typename Backend::Queue& queue, Workspace<Backend>& workspace,
                             const AutoencoderKL<Backend>& model, Bands<Backend, Comm>& bands,
                             const View<const float, 4>& band, const Progress& progress = {}) {
  using Memory = Workspace<Backend>;
  const bool collects = bands.rank() == 0, returns = collects && holds_numbers<Backend>;
  const Index images = band.extent[0], channels = model.config().out_channels,
              rows = bands.rows() * model.config().scale(),
              columns = bands.columns() * model.config().scale();
  Tensor out;
  if (returns && images > 1) out = Tensor({images, channels, rows, columns});
  const std::array<Index, 3> extents{collects ? rows : 0, columns, channels},
      planar{channels, extents[0], columns};
  for (Index i = 0; i < images; ++i) {
    workspace.restart();
    Decoder<Backend, Comm> decoder(queue, workspace, model, bands);
    constexpr Index units = 100;  // of an image
    const Band<Backend> own =
        decoder.decode(band[i], progress_of_part(progress, {i * units, (i + 1) * units}, images * units));
    const typename Memory::template Array<typename Backend::Element> gathered(
        workspace, extents[0] * columns * channels);
    bands.gather(queue, own, gathered.view(extents));
    if (!collects) continue;
    const typename Memory::template Array<float> planes(workspace, rows * columns * channels);
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
