#include <cstddef>

#include "../cuda/dtype.cuh"
#include "../cuda/kernels.cuh"
#include "stages.cuh"
#include "weft/vae/image_decoder.hpp"

namespace command {

weft::Tensor decode_over_nccl(weft::nccl::World& world, const Options& options,
                              const std::filesystem::path& autoencoder, const LatentBands& latents,
                              const weft::Progress& progress) {
  return in_dtype(options, [&world, &autoencoder, &latents, &progress]<class E>(std::type_identity<E>) {
    const weft::AutoencoderKL<Cuda<typename Cuda<E>::Element>> model(autoencoder);
    const weft::Tensor& band = latents.of_rank[static_cast<std::size_t>(world.rank())];
    return weft::ImageDecoder(model, world).decode_band(band, latents.height, progress);
  });
}

}  // namespace command
