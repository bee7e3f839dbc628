#include "decode.hpp"

#include <cstddef>
#include <deque>
#include <utility>

#include "devices.cuh"
#include "dtype.cuh"
#include "kernels.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/vae/image_decoder.hpp"

namespace command {

namespace {

template <class Backend>
weft::Tensor decode_alone(const std::filesystem::path& folder, const LatentBands& latents,
                          weft::Trace* trace) {
  const weft::AutoencoderKL<Backend> model(folder);
  weft::Solo<typename Backend::Queue> world(1, trace ? &trace->lane(0) : nullptr);
  return weft::ImageDecoder(model, world).decode_band(latents.of_rank.front(), latents.height);
}

template <class Backend>
weft::Tensor decode_in_bands(const Options& options, const std::filesystem::path& folder,
                             const LatentBands& latents, weft::Trace* trace) {
  const Memories devices = devices_of(options);
  std::deque<weft::AutoencoderKL<Backend>> models;
  for (int device = devices.count; device-- > 0;) {
    devices.choose(device, devices.count);
    models.emplace_front(folder);
  }
  weft::Tensor images;
  weft::peer::launch(options.world(),
                     [&models, &latents, &images](weft::peer::World& world) {
                       weft::ImageDecoder decoder(models[static_cast<std::size_t>(world.device())], world);
                       weft::Tensor own = decoder.decode_band(
                           latents.of_rank[static_cast<std::size_t>(world.rank())], latents.height);
                       if (world.rank() == 0) images = std::move(own);
                     },
                     {.trace = trace});
  return images;
}

}  // namespace

weft::Tensor decode_on_cuda(const Options& options, const std::filesystem::path& autoencoder,
                            const LatentBands& latents, weft::Trace* trace) {
  return in_dtype(options, [&]<class E>(std::type_identity<E>) {
    using Backend = Cuda<typename Cuda<E>::Element>;
    if (options.world() == 1) return decode_alone<Backend>(autoencoder, latents, trace);
    return decode_in_bands<Backend>(options, autoencoder, latents, trace);
  });
}

}  // namespace command
