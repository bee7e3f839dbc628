#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "model_copy.hpp"

namespace {

Arguments generate(const TemporaryFolder& folder, const Arguments& more) {
  return Arguments{"generate",           "--model",     shapes, "--prompt", caption, "--out",
                   folder / "image.png", "--scheduler", "ddim", "--steps",  "2"} +
         more;
}

}  // namespace

TEST_CASE("plan ranks meshes, explains the first, and writes both and a chart") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"plan", "--gpus", "8", "--hardware", "a100-nvlink", "--px", "1024", "--json",
                               folder / "plan.json", "--svg", folder / "plan.svg"});
  CHECK(outcome.code == 0);
  for (const char* part :
       {"mesh", "speed-up", "memory", "most goes into", "cfg2·pipe4", "The next other way"})
    CHECK(outcome.out.find(part) != std::string::npos);
  const auto json = nlohmann::json::parse(folder.read("plan.json"));
  CHECK(json.at(0).at("ranking").at(0).at("mesh").at("pipe") == 4);
  CHECK(json.at(0).at("tokens") == 4096);
  CHECK(folder.read("plan.svg").starts_with("<svg"));
}

TEST_CASE("plan takes the mesh that is given, and draws it") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"plan", "--hardware", "l40-pcie", "--px", "512", "--pipefusion", "3", "--svg",
                               folder / "plan.svg", "--json", folder / "plan.json"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("3 GPUs, l40-pcie, 1024 tokens"));
  CHECK(outcome.out.find("other way") == std::string::npos);
  CHECK(folder.read("plan.svg").find("pipe3, 3 patches") != std::string::npos);
  const auto json = nlohmann::json::parse(folder.read("plan.json"));
  REQUIRE(json.at(0).at("ranking").size() == 1);
  CHECK(json.at(0).at("ranking").at(0).at("name") == "pipe3, 3 patches");
}

TEST_CASE("plan rejects degrees that do not multiply to the GPUs, or break a rule") {
  const auto rejected = [](const Arguments& more, const char* text) {
    const Outcome outcome = run(Arguments{"plan", "--hardware", "l40-pcie", "--px", "512"} + more);
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find(text) != std::string::npos);
  };
  rejected({"--gpus", "8", "--cfg", "2", "--ulysses", "8"},
           "the degrees of the mesh multiply to 16, and --gpus is 8; omit --gpus");
  rejected({"--cfg", "3"}, "the mesh has cfg 3");
  rejected({"--pipefusion", "2", "--patches", "1"}, "as many as stages, 2, or more; use 2");
}

TEST_CASE("plan takes the image that generate would make") {
  const auto plan = [](const std::filesystem::path& model, const char* px) {
    return run({"plan", "--hardware", "l40-pcie", "--gpus", "2", "--model", model, "--px", px});
  };
  CHECK(plan(shapes, "64").out.starts_with("2 GPUs, l40-pcie, 256 tokens"));
  CHECK(plan(goldens / "v12" / "model", "64").out.starts_with("2 GPUs, l40-pcie, 16 tokens"));
  const Outcome odd = plan(shapes, "62");
  CHECK(odd.code == 2);
  CHECK(odd.err == "--px is 62 pixels and must be a multiple of 4; 64 would do\n");
  const Outcome thousand = run({"plan", "--hardware", "l40-pcie", "--px", "512", "1000"});
  CHECK(thousand.code == 2);
  CHECK(thousand.out.empty());
  CHECK(thousand.err == "--px is 1000 pixels and must be a multiple of 16; 1008 would do\n");
}

TEST_CASE("plan knows every model of a folder, and its guidance") {
  for (const char* name : {"pixart_sigma", "pixart_alpha", "sd3", "sd3_medium", "flux"}) {
    CAPTURE(name);
    const TemporaryFolder folder;
    const Outcome outcome = run({"plan", "--hardware", "a100-nvlink", "--gpus", "4", "--px", "256", "--model",
                                 goldens / name / "model", "--json", folder / "plan.json"});
    CAPTURE(outcome.err);
    CHECK(outcome.code == 0);
    const auto plan = nlohmann::json::parse(folder.read("plan.json")).at(0);
    CHECK(plan.at("step_flop") > 0);
    REQUIRE(!plan.at("ranking").empty());
    bool splits_guidance = false;
    for (const auto& ranked : plan.at("ranking"))
      splits_guidance = splits_guidance || ranked.at("mesh").at("cfg") == 2;
    CHECK(splits_guidance == (std::string(name) != "flux"));
  }
}

TEST_CASE("plan rejects what it cannot know") {
  CHECK(run({"plan", "--gpus", "8"}).code == 2);
  CHECK(run({"plan", "--hardware", "abacus"}).err.find("there is no hardware abacus") != std::string::npos);
  CHECK(run({"plan", "--gpus", "0", "--hardware", "t4-pcie"}).code == 2);
}

TEST_CASE("The planner chooses the mesh of ranks without degrees") {
  const TemporaryFolder folder;
  const Outcome planned = run(generate(folder, {"--ranks", "4"}));
  CHECK(planned.code == 0);
  CHECK(planned.out.find("mesh: cfg2·") != std::string::npos);
  CHECK(planned.out.find("on 4 ranks") != std::string::npos);
  CHECK(run(generate(folder, {})).out.find("on 1 rank") != std::string::npos);
  CHECK(run(generate(folder, {"--ranks", "4", "--mesh", "exact"})).out.find("patches") == std::string::npos);
  CHECK(
      run(generate(folder, {"--ranks", "5", "--hardware", "t4-pcie"}))
          .out.find("mesh: pipe5, 5 patches; the image may differ from one rank's, and --mesh exact takes") !=
      std::string::npos);
  CHECK(run(generate(folder, {"--mesh", "round"})).err.find("there are auto and exact") != std::string::npos);
}

TEST_CASE("Degrees that are given are kept") {
  const TemporaryFolder folder;
  CHECK(run(generate(folder, {"--ulysses", "2"})).out.find("mesh:") == std::string::npos);
  CHECK(run(generate(folder, {"--ulysses", "2", "--ranks", "4"})).code == 2);
}

TEST_CASE("Memory is planned and printed, and compared with the limit") {
  const TemporaryFolder folder;
  const Outcome one = run(generate(folder, {}));
  CHECK(one.out.find(
            "memory: 31.7 MB a rank (weights 26.2, conditioning 1.12, keys and values 0, activations 4.37, "
            "preparing 0.0573) of ") != std::string::npos);
  const Outcome limited = run(generate(folder, {"--ulysses", "2", "--memory-limit", "1"}));
  CHECK(limited.out.find("for 2 ranks") != std::string::npos);
  CHECK(limited.out.find("of 1 GB allowed") != std::string::npos);
  // Two slices share the host, each with what is not split.
  CHECK(run(generate(folder, {"--tensor", "2"})).out.find("for 2 ranks (weights ") != std::string::npos);
}

TEST_CASE("Memory of a pipeline's stages is planned, printed, and compared with the limit") {
  const std::filesystem::path model = goldens / "hunyuan_pipeline" / "model";
  const TemporaryFolder folder;
  const auto made = [&](const Arguments& more) {
    return run(Arguments{"generate", "--model", model, "--inputs",
                         goldens / "hunyuan_pipeline" / "run_inputs.safetensors"} +
               more);
  };
  const Arguments image{"--image-out", folder / "image"}, latents{"--latents-out", folder / "latents"};
  const Outcome one = made(image + Arguments{"--memory-limit", "1"});
  CAPTURE(one.err);
  REQUIRE(one.code == 0);
  const auto megabytes = [&one](const std::string& stage) {
    const std::string begin = "memory of the " + stage + ": ";
    const auto at = one.out.find(begin);
    REQUIRE(at != one.out.npos);
    CHECK(one.out.find("MB a rank (weights ", at) != one.out.npos);
    return std::stod(one.out.substr(at + begin.size()));
  };
  const double encoders = megabytes("text encoders"), decoder = megabytes("decoder");
  CHECK(one.out.find("memory: ") < one.out.find("encode, "));
  CHECK(made(latents).out.find("memory of the decoder") == std::string::npos);
  const auto limited = [&made, &image](double size) {
    return made(image + Arguments{"--memory-limit", std::to_string(size / 1000)});
  };
  CHECK(encoders < decoder);
  check_rejected(limited(0.99 * decoder), "would go to the decoder, and ");
  CHECK(limited(1.01 * decoder).code == 0);
}

TEST_CASE("plan adds the stages of a pipeline's folder, and rejects what no GPU can hold") {
  const std::filesystem::path model = goldens / "hunyuan_pipeline" / "model";
  const TemporaryFolder folder;
  const auto planned = [&folder](const std::filesystem::path& from, const char* px) {
    return run({"plan", "--hardware", "t4-pcie", "--gpus", "1", "--px", px, "--model", from, "--json",
                folder / "plan.json"});
  };
  REQUIRE(planned(model, "256").code == 0);
  const nlohmann::json plan = nlohmann::json::parse(folder.read("plan.json")).at(0);
  const auto bytes = [&plan](const char* stage) {
    return plan.at("stages").at(stage).at("memory_bytes").get<double>();
  };
  CHECK(bytes("decoder") > 0);
  CHECK(bytes("text encoders") > 0);
  CHECK(bytes("pipeline") > std::max(bytes("decoder"), bytes("text encoders")));
  const ModelCopy without(model);
  std::filesystem::remove(without.path() / "text_encoder/model.safetensors");
  const Outcome partly = planned(without.path(), "256");
  CHECK(partly.code == 0);
  CHECK(partly.out.find("text encoders: not planned, since ") != std::string::npos);
  check_rejected(planned(model, "16384"), "would go to the decoder, and ");
}

TEST_CASE("plan and generate know that text encoders are in slices where the matrices of blocks are") {
  const std::filesystem::path model = goldens / "hunyuan_pipeline" / "model";
  const TemporaryFolder folder;
  const auto planned = [&](const char* degree) {
    REQUIRE(run({"plan", "--hardware", "t4-pcie", degree, "2", "--px", "256", "--model", model, "--json",
                 folder / "plan.json"})
                .code == 0);
    const nlohmann::json plan = nlohmann::json::parse(folder.read("plan.json")).at(0);
    return plan.at("stages").at("text encoders").at("memory_bytes").get<double>();
  };
  CHECK(planned("--tensor") < 0.75 * planned("--ulysses"));
  const auto printed = [&](const char* degree) {
    const Outcome outcome = run({"generate", "--model", model, "--inputs",
                                 goldens / "hunyuan_pipeline" / "run_inputs.safetensors", "--latents-out",
                                 folder / "latents", degree, "2"});
    REQUIRE(outcome.code == 0);
    const std::string line = "memory of the text encoders: ";
    return std::stod(outcome.out.substr(outcome.out.find(line) + line.size()));
  };
  CHECK(printed("--tensor") < 0.75 * printed("--ulysses"));
}

TEST_CASE("Memory of every model is planned before it is loaded") {
  for (const char* name : {"pixart_sigma", "sd3", "flux"}) {
    CAPTURE(name);
    const TemporaryFolder folder;
    const auto forward = [&folder, name](const char* limit) {
      return run({"forward", "--model", goldens / name / "model", "--inputs",
                  goldens / name / "forward_inputs.safetensors", "--out", folder / "out.safetensors",
                  "--ranks", "2", "--memory-limit", limit});
    };
    const Outcome fits = forward("1"), rejected = forward("0.001");
    CHECK(fits.code == 0);
    CHECK(fits.out.find("mesh: ") != std::string::npos);
    CHECK(fits.out.find("memory: ") != std::string::npos);
    CHECK(rejected.code == 2);
    CHECK(rejected.err.find("of memory for 2 ranks, and 1 MB may be taken; its weights alone take ") !=
          std::string::npos);
  }
}
