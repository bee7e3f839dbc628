#include "../../../examples/weft/options/rules.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "command.hpp"

using command::Command;

namespace {

const std::vector<std::pair<Command, std::string>> all_commands{
    {Command::generate, "generate"}, {Command::forward, "forward"}, {Command::denoise, "denoise"},
    {Command::decode, "decode"},     {Command::bench, "bench"},     {Command::plan, "plan"},
    {Command::encode, "encode"}};

/// An option as a command's help lists it.
struct Listed {
  std::string name, type;  // no type: a flag
};

std::vector<Listed> options_in_help(const std::string& command) {
  std::istringstream help(run({command, "--help"}).out);
  std::vector<Listed> options;
  for (std::string line; std::getline(help, line);) {
    std::istringstream words(line);
    Listed option;
    words >> option.name;
    if (!option.name.starts_with("--")) continue;
    if (line.find(option.name + " ") == 2 && line.find(option.name + "  ") != 2) words >> option.type;
    options.push_back(option);
  }
  return options;
}

/// Returns the arguments that a command requires.
Arguments needed_by(const std::string& command) {
  const std::string golden = goldens / "v12" / "forward_inputs.safetensors";
  if (command == "generate") return {"--model", shapes, "--prompt", caption, "--latents-out", "/none/a"};
  if (command == "plan") return {"--hardware", "t4-pcie"};
  if (command == "bench") return {};
  if (command == "decode")
    return {"--model", goldens / "vae" / "model", "--latents", golden, "--out", "/none/a"};
  if (command == "encode")
    return {"--model", goldens / "hunyuan_pipeline" / "model", "--prompt", "a", "--out", "/none/a"};
  return {"--model", goldens / "v12" / "model", "--inputs", golden, "--out", "/none/a"};
}

/// Checks for exit code 2, one sentence with `text`, and an empty standard output.
void rejected(const Arguments& line, const std::string& text) {
  const Outcome outcome = run(line);
  CAPTURE(line);
  CAPTURE(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find(text) != std::string::npos);
  CHECK(std::ranges::count(outcome.err, '\n') == 1);
}

}  // namespace

TEST_CASE("every option that takes a value rejects an empty one, and text in place of a number, by name") {
  const std::vector<std::string> numbers{"N", "PX", "PX...", "G", "F", "SECONDS", "GB"};
  for (const auto& [command, name] : all_commands) {
    const std::vector<Listed> options = options_in_help(name);
    REQUIRE(options.size() >= 5);
    for (const Listed& option : options) {
      if (option.type.empty()) continue;
      const std::string type = option.type.substr(0, option.type.find('='));
      Arguments rest;
      const Arguments all = needed_by(name);
      for (std::size_t i = 0; i < all.size(); i += 2)
        if (all[i] != option.name) rest = rest + Arguments{all[i], all[i + 1]};
      const Arguments line = Arguments{name} + rest;
      if (std::ranges::count(numbers, type) > 0)
        rejected(line + Arguments{option.name, "x"}, option.name + ": x is not a ");
      if (type != "TEXT") rejected(line + Arguments{option.name, ""}, option.name);
    }
  }
}

TEST_CASE("the table names options that its commands have") {
  for (const auto& [command, name] : all_commands) {
    const std::vector<Listed> options = options_in_help(name);
    for (const command::OptionRule& rule : command::option_rules())
      if (rule.commands.contains(command)) {
        CAPTURE(rule.option);
        CHECK(std::ranges::count(options, rule.option, &Listed::name) == 1);
      }
  }
}

TEST_CASE("an option without an effect is rejected with what would give it one") {
  const auto reject = [](const std::string& command, const Arguments& more, const std::string& text) {
    rejected(Arguments{command} + needed_by(command) + more, text);
  };
  for (const char* command : {"generate", "forward", "denoise"}) {
    reject(command, {"--warmup", "2"}, "--warmup needs an image in several patches");
    reject(command, {"--ring-cache", "copy"}, "--ring-cache needs several ranks round a ring");
    reject(command, {"--ranks", "2", "--ring-cache", "copy"}, "omit --ring-cache");
    reject(command, {"--timeout", "3"}, "start them by mpirun, torchrun or srun, or omit --timeout");
    reject(command, {"--mesh", "exact"}, "--mesh applies where the planner chooses the mesh");
    reject(command, {"--mesh", "exact", "--ring", "2"}, "omit --mesh");
    reject(command, {"--hardware", "t4-pcie", "--ring", "2"}, "omit --hardware");
  }
  for (const char* command : {"decode", "encode"})
    reject(command, {"--timeout", "3"}, "start them by mpirun, torchrun or srun, or omit --timeout");
  reject("forward", {"--pipefusion", "2", "--warmup", "2"}, "forward takes one");
  reject("generate", {"--guidance", "1", "--negative", "a"},
         "--negative has no effect where --guidance is 1 or below");
  reject("generate", {"--guidance", "1", "--guidance-rescale", "0.5"}, "omit --guidance-rescale");
  reject("generate", {"--seed", "1", "--scheduler", "ddim", "--noise", goldens / "shapes_ddim20.safetensors"},
         "--seed applies to noise that is drawn, and here --noise gives the only one");

  for (const char* degree :
       {"--cfg", "--pipefusion", "--patches", "--ulysses", "--tensor", "--ring", "--data", "--ranks"})
    reject("bench", {"--project", degree, "2"}, std::string(degree) + " applies to one mesh, and --project");
  reject("bench", {"--project", "--warmup", "2"}, "omit --warmup");
  reject("bench", {"--project", "--mesh", "exact"}, "omit --mesh");
  reject("bench", {"--project", "--compare"}, "omit --compare");
  reject("bench", {"--ring", "1", "--hardware", "t4-pcie"}, "omit --hardware");
  reject("bench", {"--project", "--arch", "flux-dev"}, "--project models those of hunyuan-v1.2");

  for (const char* option : {"--gpus", "--px", "--tokens", "--images", "--steps", "--cfg", "--pipefusion",
                             "--patches", "--ulysses", "--tensor", "--ring", "--data"})
    reject("plan", {"--kernels", option, "16"}, std::string(option) + " applies to a plan");
  reject("plan", {"--calibrate", "a.json", "--json", "b.json"}, "omit --json");
  reject("plan", {"--calibrate", "a.json", "--kernels"}, "omit --kernels");
  reject("plan", {"--calibrate", "a.json", "--svg", "b.svg"}, "omit --svg");
  reject("plan", {"--dtype", "bf16"}, "--dtype applies to measurements");
  reject("plan", {"--px", "512", "--tokens", "64"}, "omit --px");
  reject("plan", {"--exact", "--ring", "2"}, "omit --exact");
  reject("plan", {"--svg", "a.svg"}, "--svg draws an image of one size");
  reject("plan", {"--warmup", "2", "--ring", "2"}, "omit --warmup");
  reject("plan", {"--ring-cache", "copy"}, "omit --ring-cache");
  reject("plan", {"--timeout", "3"}, "omit --timeout");
}

TEST_CASE("an option with an effect is obeyed") {
  const TemporaryFolder folder;
  const Arguments generate{"generate", "--model", shapes,          "--prompt",      caption,
                           "--steps",  "2",       "--latents-out", folder / "state"};
  for (const Arguments& more :
       {Arguments{"--pipefusion", "2", "--warmup", "2"}, Arguments{"--ring", "2", "--ring-cache", "copy"},
        Arguments{"--ranks", "2", "--mesh", "exact", "--hardware", "t4-pcie"},
        Arguments{"--ranks", "1", "--mesh", "exact", "--warmup", "2"},
        Arguments{"--guidance", "2", "--negative", "a", "--guidance-rescale", "0.5"},
        Arguments{"--seed", "1", "--scheduler", "ddpm"}}) {
    const Outcome outcome = run(generate + more);
    CAPTURE(outcome.err);
    CHECK(outcome.code == 0);
  }
  CHECK(run({"plan", "--hardware", "t4-pcie", "--px", "512", "--exact", "--steps", "4"}).code == 0);
}
