#include "decode.hpp"

#include <cstddef>
#include <future>
#include <memory>
#include <utility>
#include <vector>

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
                          const weft::Progress& progress, weft::Trace* trace) {
  const weft::AutoencoderKL<Backend> model(folder);
  weft::Solo<typename Backend::Queue> world(1, trace ? &trace->lane(0) : nullptr);
  return weft::ImageDecoder(model, world).decode_band(latents.of_rank.front(), latents.height, progress);
}

/// Returns the autoencoder on each of the devices, which read it at the same time.
template <class Backend>
auto models_on(const Memories& devices, const std::filesystem::path& folder) {
  using Model = std::unique_ptr<const weft::AutoencoderKL<Backend>>;
  std::vector<std::future<Model>> reading;
  for (int device = 0; device < devices.count; ++device)
    reading.push_back(std::async(std::launch::async, [&devices, &folder, device] {
      devices.choose(device, devices.count);
      return std::make_unique<const weft::AutoencoderKL<Backend>>(folder);
    }));
  std::vector<Model> out;
  for (std::future<Model>& model : reading) out.push_back(model.get());
  return out;
}

template <class Backend>
weft::Tensor decode_in_bands(const Options& options, const std::filesystem::path& folder,
                             const LatentBands& latents, const weft::Progress& progress, weft::Trace* trace) {
  const auto models = models_on<Backend>(devices_of(options), folder);
  weft::Tensor images;
  weft::peer::launch(options.world(),
                     [&models, &latents, &progress, &images](weft::peer::World& world) {
                       weft::ImageDecoder decoder(*models[static_cast<std::size_t>(world.device())], world);
                       weft::Tensor own = decoder.decode_band(
                           latents.of_rank[static_cast<std::size_t>(world.rank())], latents.height, progress);
                       if (world.rank() == 0) images = std::move(own);
                     },
                     {.trace = trace});
  return images;
}

}  // namespace

weft::Tensor decode_on_cuda(const Options& options, const std::filesystem::path& autoencoder,
                            const LatentBands& latents, const weft::Progress& progress, weft::Trace* trace) {
  return in_dtype(options, [&]<class E>(std::type_identity<E>) {
    using Backend = Cuda<typename Cuda<E>::Element>;
    if (options.world() == 1) return decode_alone<Backend>(autoencoder, latents, progress, trace);
    return decode_in_bands<Backend>(options, autoencoder, latents, progress, trace);
  });
}

}  // namespace command
