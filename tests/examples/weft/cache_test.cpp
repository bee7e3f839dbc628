#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

/// Returns the arguments of `generate` in 8 steps.
Arguments generate(const TemporaryFolder& folder, const char* latents, const Arguments& more) {
  return Arguments{"generate", "--model", shapes, "--prompt",      caption,         "--scheduler",
                   "ddim",     "--steps", "8",    "--latents-out", folder / latents} +
         more;
}

}  // namespace

TEST_CASE("--cache names steps that reuse, prints them, and gives one rank's image on a mesh") {
  const TemporaryFolder folder;
  CHECK(run(generate(folder, "full", {})).code == 0);
  const std::pair<const char*, const char*> rules[] = {
      {"steps:1,2,6", "cache: 3 of 8 steps reuse: steps 1, 2 and 6\n"},
      {"skip:3", "cache: 5 of 8 steps reuse: steps 1, 2, 4, 5 and 7 but for 1 block at either end\n"},
      {"teacache:1", "cache: 4 of 8 steps reuse: steps 1, 3, 4 and 6\n"},
      {"teacache:0.001", "cache: 0 of 8 steps reuse: no step\n"}};
  const weft::Tensor full = tensor_in(folder / "full", "latents");
  for (const auto& [rule, line] : rules) {
    CAPTURE(rule);
    const Outcome outcome = run(generate(folder, "one", {"--cache", rule}));
    CAPTURE(outcome.out);
    CHECK(outcome.code == 0);
    CHECK(outcome.out.find(line) != std::string::npos);
    CHECK(run(generate(folder, "mesh", {"--cache", rule, "--cfg", "2", "--pipefusion", "2", "--warmup", "8"}))
              .code == 0);
    const weft::Tensor one = tensor_in(folder / "one", "latents");
    CHECK(relative_error(tensor_in(folder / "mesh", "latents"), one) < 1e-5);
    if (std::string(line).find("no step") != std::string::npos)
      CHECK(one.data == full.data);
    else
      CHECK(relative_error(one, full) > 1e-3);
  }
}

TEST_CASE("--cache applies to denoise too") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"denoise", "--model", goldens / "v12" / "model", "--inputs",
           goldens / "v12" / "ddim_inputs.safetensors", "--out", folder / "latents", "--cache", "steps:1"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("steps reuse: steps 1\n") != std::string::npos);
}

TEST_CASE("--cache rejects what it cannot do in one sentence") {
  const TemporaryFolder folder;
  for (const char* rule : {"fast", "teacache", "teacache:0", "teacache:-1", "teacache:nan", "teacache:inf",
                           "steps:", "steps:1,", "steps:1,x", "skip:1", "skip:2.5", "skip:2,3"})
    check_rejected(run(generate(folder, "one", {"--cache", rule})),
                   std::string("--cache is ") + rule +
                       " and must be teacache and a threshold above 0, steps and a list");
  check_rejected(run(generate(folder, "one", {"--cache", "steps:0"})),
                 "step 0 is to reuse an earlier one, and of 8 steps those from 1 to 7 can");
  check_rejected(run(generate(folder, "one", {"--cache", "steps:3,8"})),
                 "step 8 is to reuse one after 3, and of 8 steps those from 4 to 7 can");
  check_rejected(
      run({"denoise", "--model", goldens / "sd3" / "model", "--inputs",
           goldens / "sd3" / "loop_inputs.safetensors", "--out", folder / "latents", "--cache", "skip:2"}),
      "Skip-Cache needs a model with long skips, and this one has none; use TeaCache");
  check_rejected(run({"bench", "--project", "--cache", "skip:2"}), "omit --cache");
  check_rejected(run({"plan", "--calibrate", folder / "a.json", "--cache", "skip:2"}), "omit --cache");
  CHECK(folder.count() == 0);
}

TEST_CASE("plan knows the operations and the time of steps that reuse") {
  const TemporaryFolder folder;
  const auto plan = [&folder](const Arguments& more) {
    const Outcome outcome = run(
        Arguments{"plan", "--hardware", "h200-nvlink", "--gpus", "1", "--json", folder / "plan.json"} + more);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    return nlohmann::json::parse(folder.read("plan.json")).at(0);
  };
  const auto full = plan({"--px", "1024"}), skipping = plan({"--px", "1024", "--cache", "skip:2"});
  CHECK(full.contains("reused_steps") == false);
  CHECK(skipping.at("reused_steps").size() == 25);
  CHECK(skipping.at("step_flop") == full.at("step_flop"));
  CHECK(skipping.at("reused_step_flop").get<double>() < 0.06 * full.at("step_flop").get<double>());
  const auto seconds = [](const nlohmann::json& some) {
    return some.at("single").at("seconds").get<double>();
  };
  CHECK(seconds(skipping) / seconds(full) == doctest::Approx(0.54).epsilon(0.05));

  CHECK(plan({"--px", "64", "--model", shapes, "--steps", "8", "--cache", "teacache:1"})
            .at("reused_steps")
            .size() == 4);
  check_rejected(
      run({"plan", "--hardware", "h200-nvlink", "--cache", "teacache:0.1"}),
      "--cache teacache reads the weights that embed timesteps, and no model is given; add --model");
}
