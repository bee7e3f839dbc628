#include "decode.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "../cuda/decode.hpp"
#include "../input/tensors.hpp"
#include "../output/outputs.hpp"
#include "../output/stopwatch.hpp"
#include "run.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/vae/decode.hpp"

namespace command {

namespace {

/// Returns the folder of the autoencoder: vae/ of the model's, or that itself.
std::filesystem::path autoencoder_in(const std::filesystem::path& model) {
  const bool is_autoencoder =
      std::filesystem::exists(model / "config.json") && !std::filesystem::exists(model / "vae");
  return is_autoencoder ? model : model / "vae";
}

weft::Tensor decode_on_threads(const std::filesystem::path& autoencoder, const weft::Tensor& latents,
                               weft::Index ranks, weft::Trace* trace) {
  const weft::AutoencoderKL<weft::Host> model(autoencoder);
  weft::Tensor images;
  weft::launch(ranks,
               [&model, &latents, &images](weft::threads::World& world) {
                 weft::Tensor own = weft::decode(model, latents, world);
                 if (world.rank() == 0) images = std::move(own);
               },
               {.trace = trace});
  return images;
}

}  // namespace

void decode(const Options& options) {
  if (options.launched)
    weft::reject("decode runs in one process, whose ranks are threads; start it without ",
                 options.launched->launcher);
  if (options.dtype == Dtype::fp8)
    weft::reject("autoencoders compute in fp32, bf16 and fp16, and --dtype is fp8; bf16 would do");
  const weft::Tensor latents = finite_tensor(weft::SafeTensors(*options.latents), "latents");
  const std::filesystem::path autoencoder = autoencoder_in(options.model);
  const weft::AutoencoderConfig config(weft::Config::read(autoencoder / "config.json"));
  weft::vae::check(config, latents);
  const Outputs outputs(options, latents.shape[0], config.out_channels);
  std::optional<weft::Trace> trace;
  if (options.trace) trace.emplace(static_cast<int>(options.world()));

  Stopwatch watch;
  const Results results{.images = decoded(options, autoencoder, latents, trace ? &*trace : nullptr)};
  watch.lap("decode, " + extent_of(options, 0));
  watch.lap("write, " + weft::listed(outputs.write(results, trace ? &*trace : nullptr)));
}

weft::Tensor decoded(const Options& options, const std::filesystem::path& autoencoder,
                     const weft::Tensor& latents, weft::Trace* trace) {
  weft::Tensor images = options.backend == Backend::host
                            ? decode_on_threads(autoencoder, latents, options.world(), trace)
                            : decode_on_cuda(options, autoencoder, latents, trace);
  check_finite(images);
  return images;
}

}  // namespace command
