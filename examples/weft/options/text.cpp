#include "groups.hpp"
#include "validators.hpp"

namespace command {

namespace {

/// Adds what `encode` and `tokenize` share: the model, the prompts, their length, and --out.
void add_prompts(CLI::App& app, Options& options, const char* out) {
  add_model(app, options);
  app.add_option("--prompt", options.prompts, "A prompt; once for each")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->required();
  app.add_option("--max-sequence-length", options.max_sequence_length,
                 "Tokens of T5's prompts (default: the pipeline's)")
      ->type_name("N")
      ->check(between(2, 1 << 20));
  app.add_option("--out", options.out, out)->type_name("F.safetensors")->required()->group("Output");
}

}  // namespace

void add_tokenize(CLI::App& app, Options& options) {
  add_prompts(app, options, "The tensors `FOLDER.ids` and `FOLDER.mask` of each tokenizer");
}

void add_encode(CLI::App& app, Options& options) {
  add_prompts(app, options,
              "The tensors `FOLDER.last_hidden_state` and `FOLDER.mask` of each text encoder, and of CLIP "
              "`FOLDER.penultimate_hidden_state` and `FOLDER.pooled`");
  add_timeout(app, options);
}

}  // namespace command
