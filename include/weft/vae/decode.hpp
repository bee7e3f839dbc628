// decode: latents to images, on all ranks of a world.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/decoder.hpp"

namespace weft::inline v0_1 {

namespace vae {

/// Throws InvalidArgument unless the latents are (images, channels, height, width) of the model's.
inline void check(const AutoencoderConfig& config, const Tensor& latents) {
  constexpr Index longest = 16384;  // pixels
  if (latents.shape.size() != 4 || latents.empty() || !latents.is_whole())
    reject("the latents are ", to_string(latents.shape), " and must be (images, ", config.latent_channels,
           ", height, width)");
  if (latents.shape[1] != config.latent_channels)
    reject("the latents have ", latents.shape[1], " channels, and this autoencoder decodes ",
           config.latent_channels);
  for (const Index side : {latents.shape[2], latents.shape[3]})
    if (side > longest / config.scale())
      reject("the latents are ", to_string(latents.shape), ", and at most ", longest / config.scale(),
             " rows and columns can be decoded, ", longest, " pixels");
}

/// Returns what ranks compare before they begin.
inline InputSummary summary_of(std::uint64_t model, const Tensor& latents) {
  InputSummary out("request");
  out.add("latents", to_string(latents.shape));
  out.add_contents("tensor of latents", latents);
  out.add_contents("autoencoder", model);
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
  using Element = typename Backend::Element;
  using Comm = typename WorldType::Communicator;
  vae::check(model.config(), latents);
  typename Backend::Queue queue = Backend::queue(world);
  Agreement<Backend, WorldType>(queue, world).check([&model, &latents] {
    return vae::summary_of(model.digest(), latents);
  });
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  std::iota(all.begin(), all.end(), 0);
  vae::Bands<Backend, Comm> bands(world.split("bands", all), latents.shape[2], latents.shape[3]);
  vae::Decoder<Backend, Comm> decoder(queue, model, bands);

  const bool collects = world.rank() == 0;
  const Index images = latents.shape[0], channels = model.config().out_channels,
              height = latents.shape[2] * model.config().scale(),
              width = latents.shape[3] * model.config().scale();
  Tensor out;
  if (collects) out = Tensor({images, channels, height, width});
  const std::array<Index, 3> extents{collects ? height : 0, width, channels};
  const typename Backend::template Buffer<Element> gathered(queue, extents[0] * width * channels + 1);
  for (Index i = 0; i < images; ++i) {
    const vae::Band<Backend> band = decoder.decode(latents.view<4>()[i]);
    bands.gather(queue, band, gathered.view(extents));
    if (!collects) continue;
    const Tensor pixels = download(queue, gathered.view(extents));
    for (Index c = 0; c < channels; ++c) {
      float* const to = out.view<4>()[i][c].data;
      for (Index pixel = 0; pixel < height * width; ++pixel)
        to[pixel] = pixels.data[static_cast<std::size_t>(pixel * channels + c)];
    }
  }
  return out;
}

}  // namespace weft::inline v0_1
