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

  weft::Tensor images;
  weft::launch(options.world(),
               [&model, &latents, &images](weft::threads::World& world) {
                 weft::Tensor own = weft::decode(model, latents, world);
                 if (world.rank() == 0) images = std::move(own);
               },
               {.trace = trace ? &*trace : nullptr});
  check_finite(images);
  watch.lap("decode, " + extent_of(options, 0));
  watch.lap("write, " + weft::listed(outputs.write(images, trace ? &*trace : nullptr)));
}

}  // namespace command
