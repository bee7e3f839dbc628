#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_decode(CLI::App& app, Options& options) {
  app.add_option("--model", options.model, "The model's folder, which holds vae/")
      ->type_name("DIR")
      ->required();
  app.add_option("--latents", options.latents, "The tensor `latents`, as denoise and generate write it")
      ->type_name("F.safetensors")
      ->required();
  app.add_option("--ranks", options.ranks,
                 "Ranks of this process, threads on the host and each a GPU on CUDA, that decode a band of "
                 "rows (default: 1)")
      ->type_name("N")
      ->check(between(1, most_ranks));
  app.add_option(
         "--out", options.out,
         "The image, FILE.png; several become FILE-0.png, FILE-1.png, …; or F.safetensors: all, as the "
         "tensor `image`, not clamped")
      ->type_name("FILE")
      ->required()
      ->group("Output");
  add_timeout(app, options);
  add_trace(app, options);
}

}  // namespace command
