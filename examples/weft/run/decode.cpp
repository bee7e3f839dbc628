#include "decode.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

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

weft::Tensor images_of(const weft::AutoencoderKL<weft::Host>& model, const weft::Tensor& latents,
                       weft::Index ranks, weft::Trace* trace) {
  weft::Tensor images;
  weft::launch(ranks,
               [&model, &latents, &images](weft::threads::World& world) {
                 weft::Tensor own = weft::decode(model, latents, world);
                 if (world.rank() == 0) images = std::move(own);
               },
               {.trace = trace});
  check_finite(images);
  return images;
}

}  // namespace

void decode(const Options& options) {
  if (options.launched)
    weft::reject("decode runs in one process, whose ranks are threads; start it without ",
                 options.launched->launcher);
  Stopwatch watch;
  const weft::Tensor latents = finite_tensor(weft::SafeTensors(*options.latents), "latents");
  const weft::AutoencoderKL<weft::Host> model(autoencoder_in(options.model));
  weft::vae::check(model.config(), latents);
  const Outputs outputs(options, latents.shape[0], model.config().out_channels);
  std::optional<weft::Trace> trace;
  if (options.trace) trace.emplace(static_cast<int>(options.world()));
  watch.lap("load");

  const Results results{.images = images_of(model, latents, options.world(), trace ? &*trace : nullptr)};
  watch.lap("decode, " + extent_of(options, 0));
  watch.lap("write, " + weft::listed(outputs.write(results, trace ? &*trace : nullptr)));
}

weft::Tensor decoded(const std::filesystem::path& autoencoder, const weft::Tensor& latents, weft::Index ranks,
                     weft::Trace* trace) {
  return images_of(weft::AutoencoderKL<weft::Host>(autoencoder), latents, ranks, trace);
}

}  // namespace command
