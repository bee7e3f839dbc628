// What the decoder asks of latents.
#pragma once

#include <cstdint>

#include "weft/comm/agreement.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/config.hpp"

namespace weft::inline v0_1::vae {

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

}  // namespace weft::inline v0_1::vae
