#include "parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "groups.hpp"
#include "parse_errors.hpp"
#include "rules.hpp"
#include "weft/core/error.hpp"
#include "weft/version.hpp"

namespace command {

namespace {

constexpr auto overview =
    "Generates images with a Diffusion Transformer on many ranks: on the host, threads of this\n"
    "process or the processes that mpirun has started; on CUDA devices likewise, one process a device where\n"
    "torchrun, mpirun or srun has started several. One process alone drives all visible GPUs.\n"
    "A model is a folder as diffusers stores it: transformer/, scheduler/ and, to generate, a pipeline's "
    "text\n"
    "encoders, tokenizers and vae/, or text/, as share/shapes has it.";

constexpr auto examples =
    "A command's options: weft COMMAND --help\n\n"
    "Examples:\n"
    "  weft generate --model share/shapes --prompt 'a red circle left of a blue square on gray' \\\n"
    "    --out image.png --scheduler ddim --steps 20\n"
    "  weft generate --model share/shapes --prompt 'a green ring above a pink cross on white' \\\n"
    "    --out image.png --cfg 2 --ulysses 2 --trace trace.json\n"
    "  mpirun -n 8 weft generate --model share/shapes --prompt 'a pink cross on white' \\\n"
    "    --out image.png --cfg 2 --ulysses 2 --ring 2\n"
    "  weft forward --model tests/goldens/v12/model \\\n"
    "    --inputs tests/goldens/v12/forward_inputs.safetensors --out sample.safetensors";

CLI::App& add_command(CLI::App& app, Options& options, Command command, const char* name,
                      const char* description) {
  CLI::App& sub = *app.add_subcommand(name, description);
  sub.footer("");
  sub.callback([&options, command] { options.command = command; });
  return sub;
}

void add_commands(CLI::App& app, Options& options, NamedValues& names) {
  CLI::App& generate = add_command(app, options, Command::generate, "generate", "Images from captions");
  add_generate(generate, options, names);
  CLI::App& forward = add_command(app, options, Command::forward, "forward", "One evaluation of the model");
  add_forward(forward, options, names);
  CLI::App& denoise =
      add_command(app, options, Command::denoise, "denoise", "The whole loop from given noise and text");
  add_denoise(denoise, options, names);
  CLI::App& decode =
      add_command(app, options, Command::decode, "decode", "Images from latents, by the model's autoencoder");
  add_decode(decode, options);
  add_device(decode, names);
  CLI::App& bench =
      add_command(app, options, Command::bench, "bench",
                  "Times a model's steps, requests and transfers on CUDA devices, with random weights");
  add_bench(bench, options, names);
  CLI::App& plan = add_command(app, options, Command::plan, "plan",
                               "Ranks the meshes of given hardware by a cost model; needs no GPU");
  add_plan(plan, options, names);
  CLI::App& tokenize = add_command(app, options, Command::tokenize, "tokenize",
                                   "Token ids of prompts, by the tokenizers of a model's folder");
  add_tokenize(tokenize, options);
  CLI::App& encode = add_command(app, options, Command::encode, "encode",
                                 "States of prompts, by the text encoders of a model's folder");
  add_encode(encode, options);
  add_device(encode, names);
  for (CLI::App* sub : {&generate, &forward, &denoise, &bench}) {
    add_device(*sub, names);
    add_attention(*sub, names);
    add_mesh(*sub, options, names);
    if (sub != &bench) add_trace(*sub, options);
  }
}

}  // namespace

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  NamedValues names;
  CLI::App app(overview, "weft");
  app.footer(examples);
  app.set_version_flag("--version", "weft " WEFT_VERSION);
  app.require_subcommand(1);
  add_commands(app, options, names);
  try {
    check_first_argument(app, {argv + std::min(argc, 1), argv + argc});
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    reject_line(app, error);
  }
  options.given = given_options(*app.get_subcommands().front());
  if (options.command == Command::generate && options.prompts.empty() && !options.inputs)
    weft::reject("--prompt is required, or --inputs; weft generate --help lists the options");
  set_named_values(options, names);
  if (options.projects && !options.has("--px"))
    options.px = options.backend == Backend::host ? std::vector<int>{256} : std::vector<int>{1024, 2048};
  return options;
}

Options with_launcher(Options options, const std::optional<weft::LaunchEnvironment>& launched) {
  options.launched = launched;
  if (launched && options.ranks && *options.ranks != launched->world)
    weft::reject("--ranks is ", *options.ranks, ", and ", launched->launcher, " has started ",
                 launched->world, " processes; omit --ranks");
  if (launched && options.projects)
    weft::reject("--project measures one device from one process; start it without ", launched->launcher);
  check_effects(options);
  return options;
}

}  // namespace command
