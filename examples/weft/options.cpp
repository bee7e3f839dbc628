#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>

#include "option_rules.hpp"
#include "weft/core/error.hpp"
#include "weft/version.hpp"

namespace command {

namespace {

constexpr auto overview =
    "Generates with a Hunyuan Diffusion Transformer, on many ranks: on the host threads of this process or "
    "the\n"
    "processes that mpirun has started, on CUDA devices likewise, one process a device where torchrun,\n"
    "mpirun or srun has started several. One process alone drives all GPUs that are visible.\n"
    "A model is a folder as diffusers lays it out: transformer/, scheduler/ and, to generate from captions, "
    "text/.";

constexpr auto examples =
    "A command's options: weft COMMAND --help\n\n"
    "Examples:\n"
    "  weft generate --model share/shapes --prompt 'a red circle left of a blue square on gray' \\\n"
    "    --out image.png --scheduler ddim --steps 20\n"
    "  weft generate --model share/shapes --prompt 'a green ring above a pink cross on white' \\\n"
    "    --out image.png --cfg 2 --ulysses 2 --trace trace.json\n"
    "  mpirun -n 8 weft generate --model share/shapes --prompt 'a pink cross on white' --out "
    "image.png \\\n"
    "    --cfg 2 --ulysses 2 --ring 2\n"
    "  weft forward --model tests/goldens/v12/model \\\n"
    "    --inputs tests/goldens/v12/forward_inputs.safetensors --out sample.safetensors";

constexpr int most_ranks = 1024;

template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

template <class Number>
CLI::Validator between(Number least, Number most) {
  const auto judge = [=](std::string& text) {
    const std::optional<Number> value = number_in<Number>(text);
    if (value && least <= *value && *value <= most) return std::string();
    return weft::sentence(text,
                          std::is_integral_v<Number> ? " is no whole number from " : " is no number from ",
                          least, " to ", most);
  };
  return CLI::Validator(judge, "");
}

/// A number of any size; its user checks the range.
template <class Number>
CLI::Validator any(const char* what) {
  const auto judge = [what](std::string& text) {
    return number_in<Number>(text) ? std::string() : weft::sentence(text, " is no ", what);
  };
  return CLI::Validator(judge, "");
}

void add_model(CLI::App& app, Options& options) {
  app.add_option("--model", options.model, "The model's folder")->type_name("DIR")->required();
}

/// What options say in words.
struct Words {
  std::string ring_cache = "automatic", mesh = "auto", backend, dtype;
};

void add_device(CLI::App& app, Words& words) {
  app.add_option("--backend", words.backend, "Where to compute: host (default), or cuda, a rank a GPU")
      ->type_name("WHERE")
      ->group("Device");
  app.add_option(
         "--dtype", words.dtype,
         "Numbers to compute in: fp32; on cuda also bf16 (default), fp16, and fp8, which is bf16 with "
         "linear layers in e4m3")
      ->type_name("TYPE")
      ->group("Device");
}

void add_hardware(CLI::App& app, Options& options) {
  app.add_option("--hardware", options.planning.hardware,
                 "What is planned for: a machine's name, or a file that plan --calibrate wrote")
      ->type_name("NAME")
      ->group("Mesh");
}

void add_degrees(CLI::App& app, Options& options, std::string& ring_cache) {
  weft::Mesh& mesh = options.mesh;
  const auto degree = [&](const char* name, int& value, const char* description) {
    app.add_option(name, value, description)
        ->type_name("N")
        ->check(between(1, most_ranks))
        ->each([&options](const std::string&) { options.planning.has_degrees = true; })
        ->capture_default_str()
        ->group("Mesh");
  };
  degree("--cfg", mesh.cfg, "Ranks that share the branches of guidance, 2 at most");
  degree("--pipefusion", mesh.pipe, "Stages of blocks that the image's patches flow through");
  app.add_option("--patches", mesh.patches,
                 "Patches of the image, as many as stages or more (default: one a stage)")
      ->type_name("N")
      ->check(between(1, 1 << 30))
      ->each([&options](const std::string&) { options.planning.has_degrees = true; })
      ->group("Mesh");
  app.add_option("--warmup", mesh.warmup, "First steps in which every patch sees fresh keys of all")
      ->type_name("N")
      ->check(any<int>("whole number from 0"))
      ->capture_default_str()
      ->group("Mesh");
  degree("--ulysses", mesh.ulysses, "Ranks that share the heads in attention");
  degree("--ring", mesh.ring, "Ranks round which keys and values travel in attention");
  degree("--data", mesh.data, "Ranks that generate different images");
  app.add_option("--timeout", options.timeout,
                 "Seconds of silence after which a rank in another process is given up, and all end")
      ->type_name("SECONDS")
      ->check(between(0.1, 1e5))
      ->capture_default_str()
      ->group("Mesh");
  app.add_option("--ring-cache", ring_cache,
                 "What a rank of the ring keeps: rotate, its own keys; copy, those of all; automatic")
      ->type_name("WHAT")
      ->capture_default_str()
      ->group("Mesh");
}

void add_mesh(CLI::App& app, Options& options, Words& words) {
  add_degrees(app, options, words.ring_cache);
  app.add_option(
         "--ranks", options.ranks,
         "Ranks in all (default: the product of the degrees, or the processes that a launcher has started; "
         "with neither, one on the host, and every visible GPU on cuda)")
      ->type_name("N")
      ->check(between(1, most_ranks))
      ->group("Mesh");
  app.add_option(
         "--mesh", words.mesh,
         "How ranks are shared out where no degree is given: auto, the fastest; exact, the fastest that "
         "gives one rank's image")
      ->type_name("HOW")
      ->capture_default_str()
      ->group("Mesh");
  add_hardware(app, options);
  app.add_option("--memory-limit", options.memory_limit,
                 "Memory that ranks may take on a device, or on the host (default: what is free)")
      ->type_name("GB")
      ->check(between(0.001, 1e5))
      ->group("Mesh");
  app.add_option("--trace", options.trace, "A timeline of every rank for ui.perfetto.dev")
      ->type_name("F.json")
      ->group("Output");
}

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

void add_sampling(CLI::App& app, Options& options) {
  Sampling& sampling = options.sampling;
  const auto setting = [&](const char* name, auto& value, const char* type, const char* description) {
    return app.add_option(name, value, description)
        ->type_name(type)
        ->capture_default_str()
        ->group("Sampling");
  };
  setting("--scheduler", sampling.scheduler, "NAME", "ddpm, ddim or dpmpp (default: the model's)");
  setting("--steps", sampling.steps, "N", "Denoising steps")->check(any<int>("whole number from 1"));
  setting("--guidance", sampling.guidance, "G", "Scale of classifier-free guidance; 1 and below: none")
      ->check(any<float>("number; 5 is usual"));
  setting("--guidance-rescale", sampling.guidance_rescale, "F",
          "How much of the deviation that guidance adds is taken back, 0 to 1")
      ->check(any<float>("number from 0 to 1"));
  setting("--seed", sampling.seed, "N", "Seed of the noise")
      ->check(between(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()));
  app.add_option("--noise", options.noise, "Starts from the tensor `noise` (images, channels, height, width)")
      ->type_name("F.safetensors")
      ->group("Sampling");
}

void add_images(CLI::App& app, Options& options) {
  app.add_option("--out", options.out, "The image; several become FILE-0.png, FILE-1.png, …")
      ->type_name("FILE.png")
      ->group("Output");
  app.add_option("--latents-out", options.latents_out, "The final state, as the tensor `latents`")
      ->type_name("F.safetensors")
      ->group("Output");
}

void add_files(CLI::App& app, Options& options, const char* inputs, const char* out) {
  app.add_option("--inputs", options.inputs, inputs)->type_name("F.safetensors")->required();
  app.add_option("--out", options.out, out)->type_name("F.safetensors")->required()->group("Output");
}

void add_bench(CLI::App& app, Options& options) {
  app.add_option("--px", options.px, "Sides of the images")
      ->type_name("PX...")
      ->check(between(16, 16384))
      ->capture_default_str();
  app.add_option("--images", options.images, "Images side by side, each with two branches of guidance")
      ->type_name("N")
      ->check(between(1, 64))
      ->capture_default_str();
  app.add_option("--steps", options.timed_steps, "Timed steps")
      ->type_name("N")
      ->check(between(1, 1000))
      ->capture_default_str();
  app.add_flag("--compare", options.compares,
               "Also says how far an evaluation is from one in fp32, which takes a while");
  app.add_flag(
      "--project", options.projects,
      "Projects steps of 2, 4 and 8 devices: kernels of every rank as measured here alone, transfers "
      "as --hardware has them (default: h200-nvlink and h200-pcie4)");
  app.add_option("--json", options.json, "The figures for machines")->type_name("F.json")->group("Output");
}

void add_plan(CLI::App& app, Options& options, Words& words) {
  Planning& planning = options.planning;
  app.add_option("--model", options.model, "The model's folder (default: HunyuanDiT v1.2)")->type_name("DIR");
  app.add_option("--gpus", planning.gpus, "GPUs")
      ->type_name("N")
      ->check(between(1, 4096))
      ->capture_default_str();
  app.add_option("--px", options.px, "Sides of the images")->type_name("PX...")->check(between(16, 16384));
  app.add_option("--tokens", planning.tokens, "Tokens instead, as of a video")
      ->type_name("N")
      ->check(between(1, 1 << 24));
  app.add_option("--images", options.images, "Images side by side")
      ->type_name("N")
      ->check(between(1, 1024))
      ->capture_default_str();
  app.add_option("--steps", options.sampling.steps, "Denoising steps")
      ->type_name("N")
      ->check(between(1, 1000))
      ->capture_default_str();
  app.add_flag("--exact", planning.exact, "Only methods whose output equals one rank's");
  app.add_option(
         "--calibrate", planning.calibrate,
         "Measures the GPUs here and writes a description of them: their links by copies and by stores of "
         "kernels, or by NCCL where a launcher has started processes; what is not measured is --hardware's "
         "(default: h100-nvlink)")
      ->type_name("F.json");
  app.add_flag("--kernels", planning.kernels,
               "Times kernels of every shard's size here, beside what is predicted");
  app.add_option("--dtype", words.dtype, "Numbers to measure in: bf16 (default), fp16 or fp32")
      ->type_name("TYPE");
  add_hardware(app, options);
  add_degrees(app, options, words.ring_cache);
  app.add_option("--json", options.json, "The ranking for machines")->type_name("F.json")->group("Output");
  app.add_option("--svg", planning.svg, "The schedule of the mesh that is given, or the fastest, as a chart")
      ->type_name("F.svg")
      ->group("Output");
}

[[noreturn]] void reject_command(const std::string& fault) {
  weft::reject(fault, "; there are generate, forward, denoise, bench and plan, and weft --help says more");
}

/// Throws InvalidArgument unless the line begins with a command, or with what needs none.
void check_first_word(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) reject_command("no command is given");
  const std::string& first = words.front();
  const auto is_command = [&app](const std::string& word) {
    return !app.get_subcommands([&word](const CLI::App* sub) { return sub->get_name() == word; }).empty();
  };
  if (is_command(first) || app.get_option_no_throw(first) != nullptr) return;
  if (!first.starts_with('-')) reject_command("there is no command " + first);
  const auto command = std::ranges::find_if(words, is_command);
  if (command == words.end()) reject_command("no command stands before " + first);
  weft::reject(first, " stands before the command; write weft ", *command, " ", first, " …");
}

/// "weft generate --help", of the command that the line has, if any.
std::string help_line(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return "weft " + (commands.empty() ? "" : commands.front()->get_name() + " ") + "--help";
}

/// InvalidArgument, in the order typed, if words are left that no option takes.
void reject_words(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining(true);
  if (words.empty()) return;
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  weft::reject(all, words.size() == 1 ? " was" : " were", " not expected; ", help_line(app),
               " says what there is");
}

/// The options of the line; rejected if one has an empty value where that has no meaning.
std::set<std::string, std::less<>> given_options(const CLI::App& command) {
  std::set<std::string, std::less<>> given;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const std::string name = option->get_name();
    const bool is_text = option->get_type_name() == "TEXT";
    if (!is_text && std::ranges::count(option->results(), std::string()) > 0)
      weft::reject(name, " is empty; give it a value, or leave it away");
    given.insert(name);
  }
  return given;
}

template <class Value, std::size_t Count>
Value value_of(const char* what, const std::string& name,
               const std::pair<const char*, Value> (&values)[Count]) {
  std::vector<std::string> names;
  for (const auto& [known, value] : values) {
    if (name == known) return value;
    names.push_back(known);
  }
  weft::reject("there is no ", what, " ", name, "; there are ", weft::listed(names));
}

void set_words(Options& options, const Words& words) {
  options.mesh.ring_cache = value_of<weft::RingCache>("ring cache", words.ring_cache,
                                                      {{"automatic", weft::RingCache::automatic},
                                                       {"rotate", weft::RingCache::rotate},
                                                       {"copy", weft::RingCache::copy}});
  if (value_of<bool>("way to choose a mesh", words.mesh, {{"auto", false}, {"exact", true}}))
    options.planning.exact = true;
  options.backend = value_of<Backend>("backend", words.backend.empty() ? "host" : words.backend,
                                      {{"host", Backend::host}, {"cuda", Backend::cuda}});
  if (options.command == Command::plan) options.backend = Backend::cuda;  // what it measures
  if (options.command == Command::bench) {
    const bool is_host = !words.backend.empty() && options.backend == Backend::host;
    if (is_host && !options.projects)
      weft::reject(
          "bench measures CUDA devices; leave --backend host away, or add --project, which measures the "
          "host");
    if (!is_host) options.backend = Backend::cuda;
  }
  const bool is_host = options.backend == Backend::host;
  const std::string dtype = !words.dtype.empty() ? words.dtype : is_host ? "fp32" : "bf16";
  options.dtype_name = dtype;
  options.dtype = value_of<Dtype>(
      "dtype", dtype,
      {{"fp32", Dtype::fp32}, {"bf16", Dtype::bf16}, {"fp16", Dtype::fp16}, {"fp8", Dtype::fp8}});
  if (is_host && options.dtype != Dtype::fp32)
    weft::reject("the host computes in fp32 alone; leave --dtype ", dtype, " away, or use --backend cuda");
}

}  // namespace

std::string what_needs_no_gpu(const Options& options) {
  switch (options.command) {
    case Command::bench:
      return "use bench --project --backend host, which measures the host";
    case Command::plan:
      return options.planning.calibrate ? "leave --calibrate away" : "leave --kernels away";
    default:
      return "use --backend host";
  }
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  Words words;
  CLI::App app(overview, "weft");
  app.footer(examples);
  app.set_version_flag("--version", "weft " WEFT_VERSION);
  app.require_subcommand(1);
  const auto add = [&](Command command, const char* name, const char* description) -> CLI::App& {
    CLI::App& sub = *app.add_subcommand(name, description);
    sub.footer("");
    sub.callback([&options, command] { options.command = command; });
    return sub;
  };

  CLI::App& generate = add(Command::generate, "generate", "Images from captions");
  add_model(generate, options);
  add_captions(generate, options);
  add_sampling(generate, options);
  add_images(generate, options);
  CLI::App& forward = add(Command::forward, "forward", "One evaluation of the model");
  add_model(forward, options);
  add_files(forward, options, "The tensors `hidden_states` and `timestep`, and the text's",
            "The prediction, as the tensor `sample`");
  CLI::App& denoise = add(Command::denoise, "denoise", "The whole loop from given noise and text");
  add_model(denoise, options);
  add_files(denoise, options, "The tensor `latents`, the text's, and the settings in the metadata",
            "The final state, as the tensor `latents`");
  CLI::App& bench =
      add(Command::bench, "bench",
          "Times HunyuanDiT v1.2's steps, requests and transfers on CUDA devices, with random weights");
  add_bench(bench, options);
  add_plan(add(Command::plan, "plan", "Which mesh is the fastest on which GPUs; needs none"), options, words);
  for (CLI::App* sub : {&generate, &forward, &denoise, &bench}) {
    add_device(*sub, words);
    add_mesh(*sub, options, words);
  }

  try {
    check_first_word(app, {argv + std::min(argc, 1), argv + argc});
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // help, or the version
    app.exit(asked);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    reject_words(app);
    weft::reject(error.what(), "; ", help_line(app), " says what there is");
  }
  options.given = given_options(*app.get_subcommands().front());
  set_words(options, words);
  if (options.projects && !options.has("--px"))
    options.px = options.backend == Backend::host ? std::vector<int>{256} : std::vector<int>{1024, 2048};
  return options;
}

Options with_launcher(Options options, const std::optional<weft::LaunchEnvironment>& launched) {
  options.launched = launched;
  if (launched && options.ranks && *options.ranks != launched->world)
    weft::reject("--ranks is ", *options.ranks, ", and ", launched->launcher, " has started ",
                 launched->world, " processes; leave --ranks away");
  if (launched && options.projects)
    weft::reject("--project measures one device from one process; start it without ", launched->launcher);
  check_effects(options);
  return options;
}

}  // namespace command
