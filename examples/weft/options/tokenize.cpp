#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_tokenize(CLI::App& app, Options& options) {
  add_model(app, options);
  app.add_option("--prompt", options.prompts, "A prompt to tokenize; once for each")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->required();
  app.add_option("--max-sequence-length", options.max_sequence_length,
                 "Tokens of T5's prompts (default: the pipeline's)")
      ->type_name("N")
      ->check(between(2, 1 << 20));
  app.add_option("--out", options.out, "The tensors `FOLDER.ids` and `FOLDER.mask` of each tokenizer")
      ->type_name("F.safetensors")
      ->required()
      ->group("Output");
}

}  // namespace command
