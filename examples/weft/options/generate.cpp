#include "groups.hpp"
#include "validators.hpp"

namespace command {

namespace {

void add_captions(CLI::App& app, Options& options) {
  app.add_option("--prompt", options.prompts, "What to generate; once for every image")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--negative", options.negative, "What not to generate (default: the empty prompt)")
      ->type_name("TEXT");
  app.add_option(
         "--inputs", options.inputs,
         "Instead of --prompt, a file with prompts, negative_prompts and settings in its metadata, and "
         "the tensors `latents` to start from and `step_noise`")
      ->type_name("F.safetensors");
  const auto pixels = any<int>("whole number of pixels, such as 1024");
  app.add_option("--height", options.height, "Height of an image (default: the model's)")
      ->type_name("PX")
      ->check(pixels);
  app.add_option("--width", options.width, "Width of an image (default: the model's)")
      ->type_name("PX")
      ->check(pixels);
  app.add_option("--max-sequence-length", options.max_sequence_length,
                 "Tokens of T5's prompts (default: the pipeline's)")
      ->type_name("N")
      ->check(between(2, 1 << 20));
}

void add_images(CLI::App& app, Options& options) {
  app.add_option("--out", options.out, "The image; several become FILE-0.png, FILE-1.png, …")
      ->type_name("FILE.png")
      ->group("Output");
  app.add_option("--image-out", options.image_out, "All images, not clamped, as the tensor `image`")
      ->type_name("F.safetensors")
      ->group("Output");
  app.add_option("--latents-out", options.latents_out, "The final latents, as the tensor `latents`")
      ->type_name("F.safetensors")
      ->group("Output");
}

}  // namespace

void add_generate(CLI::App& app, Options& options, NamedValues& names) {
  add_model(app, options);
  add_loras(app, names);
  add_captions(app, options);
  app.add_option("--resolution-binning", names.resolution_binning,
                 "on or off: whether the nearest of the sizes that the model was trained for is generated "
                 "(default: on for HunyuanDiT and PixArt)")
      ->type_name("HOW");
  add_sampling(app, options);
  add_cache(app, names);
  add_images(app, options);
}

}  // namespace command
