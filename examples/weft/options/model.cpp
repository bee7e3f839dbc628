#include "groups.hpp"

namespace command {

namespace {

void add_tensor_files(CLI::App& app, Options& options, const char* inputs, const char* out) {
  app.add_option("--inputs", options.inputs, inputs)->type_name("F.safetensors")->required();
  app.add_option("--out", options.out, out)->type_name("F.safetensors")->required()->group("Output");
}

}  // namespace

void add_model(CLI::App& app, Options& options) {
  app.add_option("--model", options.model, "The model's folder")->type_name("DIR")->required();
}

void add_loras(CLI::App& app, NamedValues& names) {
  app.add_option(
         "--lora", names.loras,
         "An adapter of low rank, merged into the weights, and how much of it (default: 1); once for each")
      ->type_name("FILE[:SCALE]")
      ->allow_extra_args(false);
}

void add_forward(CLI::App& app, Options& options, NamedValues& names) {
  add_model(app, options);
  add_loras(app, names);
  add_tensor_files(app, options, "The tensors `hidden_states` and `timestep`, and the text's",
                   "The prediction, as the tensor `sample`");
}

void add_denoise(CLI::App& app, Options& options, NamedValues& names) {
  add_model(app, options);
  add_loras(app, names);
  add_tensor_files(app, options, "The tensor `latents`, the text's, and the settings in the metadata",
                   "The final latents, as the tensor `latents`");
  add_cache(app, names);
}

}  // namespace command
