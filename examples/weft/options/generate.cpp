#include "groups.hpp"
#include "validators.hpp"

namespace command {

namespace {

void add_captions(CLI::App& app, Options& options) {
  app.add_option("--prompt", options.prompts, "What to generate; once for every image")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->required();
  app.add_option("--negative", options.negative, "What not to generate (default: the empty caption)")
      ->type_name("TEXT");
  const auto pixels = any<int>("whole number of pixels, such as 1024");
  app.add_option("--height", options.height, "Height of an image (default: the model's)")
      ->type_name("PX")
      ->check(pixels);
  app.add_option("--width", options.width, "Width of an image (default: the model's)")
      ->type_name("PX")
      ->check(pixels);
}

void add_images(CLI::App& app, Options& options) {
  app.add_option("--out", options.out, "The image; several become FILE-0.png, FILE-1.png, …")
      ->type_name("FILE.png")
      ->group("Output");
  app.add_option("--latents-out", options.latents_out, "The final latents, as the tensor `latents`")
      ->type_name("F.safetensors")
      ->group("Output");
}

}  // namespace

void add_generate(CLI::App& app, Options& options) {
  add_model(app, options);
  add_captions(app, options);
  add_sampling(app, options);
  add_images(app, options);
}

}  // namespace command
