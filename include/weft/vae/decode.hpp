// decode: latents to images, on all ranks of a world.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/decoder.hpp"

namespace weft::inline v0_1 {

namespace vae {

/// Throws InvalidArgument unless the shape of latents is (images, channels, height, width) of the model's.
inline void check(const AutoencoderConfig& config, const Shape& latents) {
  constexpr Index longest = 16384;  // pixels
  if (latents.size() != 4 || element_count(latents) == 0)
    reject("the latents are ", to_string(latents), " and must be (images, ", config.latent_channels,
           ", height, width)");
  if (latents[1] != config.latent_channels)
    reject("the latents have ", latents[1], " channels, and this autoencoder decodes ",
           config.latent_channels);
  for (const Index side : {latents[2], latents[3]})
    if (side > longest / config.scale())
      reject("the latents are ", to_string(latents), ", and at most ", longest / config.scale(),
             " rows and columns can be decoded, ", longest, " pixels");
}

/// Throws InvalidArgument unless the latents have such a shape, and as many numbers.
inline void check(const AutoencoderConfig& config, const Tensor& latents) {
  check(config, latents.shape);
  if (!latents.is_whole())
    reject("the latents are ", to_string(latents.shape), " and have ", latents.size(), " numbers");
}

/// Throws InvalidArgument unless `band` (images, channels, rows, width) is a rank's part of latents of so
/// many rows.
inline void check_band(const AutoencoderConfig& config, const Tensor& band, Index height, int rank,
                       int ranks) {
  const Index rows = split(height, ranks, rank).size();
  if (band.shape.size() != 4 || band.shape[2] != rows || !band.is_whole())
    reject("the band of rank ", rank, " of ", ranks, " is ", to_string(band.shape), " and must be (images, ",
           config.latent_channels, ", ", rows, ", width), its part of ", height, " rows");
  check(config, {band.shape[0], band.shape[1], height, band.shape[3]});
}

/// Returns what ranks compare before they begin.
inline InputSummary summary_of(std::uint64_t model, const Shape& latents) {
  InputSummary out("request");
  out.add("latents", to_string(latents));
  out.add_contents("autoencoder", model);
  return out;
}

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

}  // namespace vae

/// Decodes latents (images, channels, height, width), as a denoiser leaves them: divided by the model's
/// scaling_factor and shifted by its shift_factor first. Returns the images (images, 3, height · scale,
/// width · scale), −1 black and 1 white, not clamped, on rank 0, and an empty tensor elsewhere. All ranks
/// call it, and each decodes a band of rows. Throws InvalidArgument, before any work, for latents of another
/// model, or where ranks differ in latents or weights.
template <ImageBackend Backend, World WorldType>
[[nodiscard]] Tensor decode(const AutoencoderKL<Backend>& model, const Tensor& latents, WorldType& world) {
  vae::check(model.config(), latents);
  typename Backend::Queue queue = Backend::queue(world);
  Agreement<Backend, WorldType>(queue, world).check([&model, &latents] {
    InputSummary out = vae::summary_of(model.digest(), latents.shape);
    out.add_contents("tensor of latents", latents);
    return out;
  });
  const Index height = latents.shape[2];
  return vae::decoded(queue, model,
                      latents.view<4>().template slice<2>(split(height, world.size(), world.rank())), height,
                      world);
}

/// Does the same where ranks hold the latents in bands, as Engine::latents_band returns them: `band`
/// (images, channels, rows, width) are this rank's rows split(height, ranks, rank), which may be none.
template <ImageBackend Backend, World WorldType>
[[nodiscard]] Tensor decode_band(const AutoencoderKL<Backend>& model, const Tensor& band, Index height,
                                 WorldType& world) {
  vae::check_band(model.config(), band, height, world.rank(), world.size());
  typename Backend::Queue queue = Backend::queue(world);
  Agreement<Backend, WorldType>(queue, world).check([&model, &band, height] {
    return vae::summary_of(model.digest(), {band.shape[0], band.shape[1], height, band.shape[3]});
  });
  return vae::decoded(queue, model, band.view<4>(), height, world);
}

}  // namespace weft::inline v0_1
