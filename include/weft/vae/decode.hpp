// decode: latents to images, on all ranks of a world.
#pragma once

#include <cstdint>

#include "weft/comm/agreement.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/decoded.hpp"
#include "weft/vae/memory.hpp"

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

/// Returns what `decoded` does. Takes its memory at once before, where the queue can and there are several
/// ranks: in pieces it takes longer where GPUs map each other's memory.
template <ImageBackend Backend, World WorldType>
[[nodiscard]] Tensor decoded_at_once(typename Backend::Queue& queue, const AutoencoderKL<Backend>& model,
                                     const View<const float, 4>& band, Index height, WorldType& world) {
  if constexpr (requires { queue.reserve(Index{}); }) {
    using Number = counting::Number<sizeof(typename Backend::Element)>;
    if (world.size() > 1)
      queue.reserve(memory_of_rank<Number>(model.config(), height, band.extent[3], world.size(), world.rank())
                        .activations);
  }
  return decoded(queue, model, band, height, world);
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
  const Range rows = split(height, world.size(), world.rank());
  return vae::decoded_at_once(queue, model, latents.view<4>().template slice<2>(rows), height, world);
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
  return vae::decoded_at_once(queue, model, band.view<4>(), height, world);
}

}  // namespace weft::inline v0_1
