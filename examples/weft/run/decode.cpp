#include "decode.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <utility>

#include "../cuda/decode.hpp"
#include "../input/tensors.hpp"
#include "../output/bar.hpp"
#include "../output/outputs.hpp"
#include "../output/stopwatch.hpp"
#include "run.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/vae/image_decoder.hpp"

namespace command {

namespace {

/// Returns the folder of the autoencoder: vae/ of the model's, or that itself.
std::filesystem::path autoencoder_in(const std::filesystem::path& model) {
  const bool is_autoencoder =
      std::filesystem::exists(model / "config.json") && !std::filesystem::exists(model / "vae");
  return is_autoencoder ? model : model / "vae";
}

weft::Tensor decode_on_threads(const std::filesystem::path& autoencoder, const LatentBands& latents,
                               const weft::Progress& progress, weft::Trace* trace) {
  const weft::AutoencoderKL<weft::Host> model(autoencoder);
  weft::Tensor images;
  weft::launch(static_cast<weft::Index>(latents.of_rank.size()),
               [&model, &latents, &progress, &images](weft::threads::World& world) {
                 const weft::Tensor& band = latents.of_rank[static_cast<std::size_t>(world.rank())];
                 weft::Tensor own =
                     weft::ImageDecoder(model, world).decode_band(band, latents.height, progress);
                 if (world.rank() == 0) images = std::move(own);
               },
               {.trace = trace});
  return images;
}

}  // namespace

void decode(const Options& options, Stages& stages, const weft::Trace* trace) {
  if (options.dtype == Dtype::fp8)
    weft::reject("autoencoders compute in fp32, bf16 and fp16, and --dtype is fp8; bf16 would do");
  const weft::Tensor latents = finite_tensor(weft::SafeTensors(*options.latents), "latents");
  const std::filesystem::path autoencoder = autoencoder_in(options.model);
  const weft::AutoencoderConfig config(weft::Config::read(autoencoder / "config.json"));
  weft::vae::check(config, latents);
  std::optional<Outputs> outputs;
  if (options.prints()) outputs.emplace(options, latents.shape[0], config.out_channels);
  weft::InputSummary input("request");
  input.add_contents("tensor of latents", latents);
  stages.check_agreement(input);

  Stopwatch watch(options.prints());
  const Results results{.images = with_bar("decoding", options.prints(), [&](const weft::Progress& progress) {
                          return stages.decode(options, autoencoder, cut_into_bands(latents, options.world()),
                                               progress);
                        })};
  check_finite(results.images);
  watch.lap("decode, " + extent_of(options, 0));
  if (trace) stages.collect_trace();
  if (outputs) watch.lap("write, " + weft::listed(outputs->write(results, trace)));
}

weft::Tensor decoded(const Options& options, const std::filesystem::path& autoencoder,
                     const LatentBands& latents, const weft::Progress& progress, weft::Trace* trace) {
  return options.backend == Backend::host ? decode_on_threads(autoencoder, latents, progress, trace)
                                          : decode_on_cuda(options, autoencoder, latents, progress, trace);
}

}  // namespace command
