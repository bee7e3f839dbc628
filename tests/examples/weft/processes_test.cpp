// The command under launchers.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "command.hpp"
#include "model_copy.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace {

const std::string mpirun_4 = WEFT_MPIRUN " -q -n 4";

std::string torchrun(int rank) {
  return "RANK=" + std::to_string(rank) + " WORLD_SIZE=4 MASTER_ADDR=localhost MASTER_PORT=29500";
}

Arguments four_steps(const Arguments& more) {
  return Arguments{"generate",    "--model", shapes,    "--prompt", caption,
                   "--scheduler", "ddim",    "--steps", "4"} +
         more;
}

}  // namespace

TEST_CASE("processes generate what threads generate, and rank 0 prints and writes") {
  const TemporaryFolder folder;
  const Arguments mesh{"--cfg", "2", "--pipefusion", "2"};
  REQUIRE(run(four_steps(mesh + Arguments{"--latents-out", folder / "threads"})).code == 0);
  const Outcome outcome =
      run(four_steps(mesh + Arguments{"--latents-out", folder / "processes", "--out", folder / "image.png",
                                      "--trace", folder / "trace.json"}),
          mpirun_4);
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(folder.count() == 4);
  CHECK(folder.read("processes") == folder.read("threads"));
  CHECK(outcome.err == "step 1 of 4\nstep 2 of 4\nstep 3 of 4\nstep 4 of 4\n");
  CHECK(std::ranges::count(outcome.out, '\n') == 7);
  CHECK(outcome.out.find("generate, 4 steps on 4 ranks: ") != std::string::npos);

  std::set<int> senders;
  const nlohmann::json trace = nlohmann::json::parse(folder.read("trace.json"));
  for (const auto& event : trace.at("traceEvents"))
    if (event.at("ph") == "X" && event.at("cat") == "send") senders.insert(event.at("tid").get<int>());
  CHECK(senders == std::set{0, 1, 2, 3});
}

TEST_CASE("processes make a pipeline's latents and images as one rank does, and rank 0 prints and writes") {
  const std::filesystem::path golden = goldens / "hunyuan_pipeline";
  const TemporaryFolder folder;
  const auto made = [&](const std::string& name, const Arguments& mesh, const std::string& launcher) {
    return run(Arguments{"generate", "--model", golden / "model", "--inputs",
                         golden / (name + "_inputs.safetensors"), "--latents-out", folder / "latents",
                         "--image-out", folder / "image"} +
                   mesh,
               launcher);
  };
  const auto check = [&](const std::string& name, int ranks, const Arguments& mesh) {
    CAPTURE(ranks);
    CAPTURE(mesh.front());
    REQUIRE(made(name, {}, "").code == 0);
    const weft::Tensor latents = tensor_in(folder / "latents", "latents"),
                       image = tensor_in(folder / "image", "image");
    const Outcome outcome = made(name, mesh, WEFT_MPIRUN " -q -n " + std::to_string(ranks));
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(folder.count() == 2);
    CHECK(relative_error(tensor_in(folder / "latents", "latents"), latents) < 1e-5);
    CHECK(relative_error(tensor_in(folder / "image", "image"), image) < 1e-5);
    for (const std::string phase : {"encode, on ", "generate, ", "decode, on ", "write, "}) {
      const auto at = outcome.out.find("\n" + phase);
      CHECK((at != outcome.out.npos || outcome.out.starts_with(phase)));
      CHECK(outcome.out.find("\n" + phase, at + 1) == outcome.out.npos);  // printed once
    }
  };
  check("run", 2, {"--cfg", "2"});
  check("run", 4, {"--cfg", "2", "--ulysses", "2"});
  check("run", 4, {"--cfg", "2", "--tensor", "2"});
  check("run", 4, {"--pipefusion", "2", "--ring", "2", "--patches", "3", "--warmup", "6"});
  check("run", 2, {"--mesh", "exact"});
  check("run_batch", 4, {"--data", "2", "--cfg", "2"});
}

TEST_CASE("a stage that fails in one process ends all with its sentence, and nothing is written") {
  const std::filesystem::path golden = goldens / "hunyuan_pipeline", model = golden / "model";
  const TemporaryFolder folder;
  const auto line = [&](const std::filesystem::path& from) {
    return Arguments{"generate", "--model", from,          "--inputs",      golden / "run_inputs.safetensors",
                     "--cfg",    "2",       "--image-out", folder / "image"};
  };
  const auto fails = [&](const ModelCopy& other, const std::string& text) {
    const Outcome outcome = run(line(model) + Arguments{":", "-n", "1", WEFT_COMMAND} + line(other.path()),
                                WEFT_MPIRUN " -q -n 1");
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.err.find(text) != std::string::npos);
    CHECK(folder.count() == 0);
  };
  const ModelCopy without_decoder(model), without_encoder(model);
  std::filesystem::remove(without_decoder.path() / "vae/diffusion_pytorch_model.safetensors");
  fails(without_decoder, "/vae");
  std::filesystem::remove(without_encoder.path() / "text_encoder/model.safetensors");
  fails(without_encoder, "/text_encoder");
}

TEST_CASE("processes record the stages of a pipeline in one trace") {
  const std::filesystem::path golden = goldens / "hunyuan_pipeline";
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"generate", "--model", golden / "model", "--inputs", golden / "run_inputs.safetensors", "--cfg",
           "2", "--image-out", folder / "image", "--trace", folder / "trace.json"},
          WEFT_MPIRUN " -q -n 2");
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  std::set<std::pair<std::string, int>> recorded;  // categories and ranks
  const nlohmann::json trace = nlohmann::json::parse(folder.read("trace.json"));
  for (const auto& event : trace.at("traceEvents"))
    if (event.at("ph") == "X")
      recorded.emplace(event.at("cat").get<std::string>(), event.at("tid").get<int>());
  for (const int rank : {0, 1})
    for (const char* stage : {"text", "sampler", "vae"}) CHECK(recorded.contains({stage, rank}));
}

TEST_CASE("processes encode what one does, and rank 0 writes") {
  const std::filesystem::path model = goldens / "hunyuan_pipeline" / "model";
  const TemporaryFolder folder;
  const auto encode = [&](const std::string& out, const std::string& launcher) {
    const Arguments line{"encode",   "--model",      model,   "--prompt",  "a red circle",
                         "--prompt", "a green ring", "--out", folder / out};
    return run(launcher.empty() ? line : line + Arguments{"--timeout", "20"}, launcher);
  };
  REQUIRE(encode("one", "").code == 0);
  for (const char* ranks : {"2", "3"}) {
    const Outcome outcome = encode("several", WEFT_MPIRUN " -q -n " + std::string(ranks));
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK(folder.count() == 2);
    const weft::SafeTensors one(folder / "one"), several(folder / "several");
    REQUIRE(several.entries().size() == one.entries().size());
    for (const char* name : {"text_encoder.last_hidden_state", "text_encoder_2.last_hidden_state"})
      CHECK(relative_error(several.tensor(name), one.tensor(name)) < 1e-5);
  }
}

TEST_CASE("processes decode what one does, and rank 0 prints, writes and has all of the trace") {
  const std::filesystem::path vae = goldens / "vae";
  const weft::Tensor latents = tensor_in(vae / "inputs.safetensors", "latents.12x10");
  const TemporaryFolder folder;
  const std::string file = folder.write("latents", weft::to_safetensors({{"latents", latents}}));
  for (const int ranks : {2, 3}) {
    CAPTURE(ranks);
    const Outcome outcome =
        run({"decode", "--model", vae / "model", "--latents", file, "--out", folder / "images.safetensors",
             "--trace", folder / "trace.json", "--timeout", "20"},
            WEFT_MPIRUN " -q -n " + std::to_string(ranks));
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(folder.count() == 3);
    CHECK(std::ranges::count(outcome.out, '\n') == 2);
    CHECK(outcome.out.starts_with("decode, on " + std::to_string(ranks) + " ranks: "));
    CHECK(relative_error(tensor_in(folder / "images.safetensors", "image"),
                         tensor_in(vae / "expected.safetensors", "image.12x10")) < 1e-5);
    std::set<int> recorded;
    const nlohmann::json trace = nlohmann::json::parse(folder.read("trace.json"));
    for (const auto& event : trace.at("traceEvents"))
      if (event.at("ph") == "X") recorded.insert(event.at("tid").get<int>());
    CHECK(recorded.size() == static_cast<std::size_t>(ranks));
  }
}

TEST_CASE("encode and decode are rejected in processes as in one, and where processes differ") {
  const TemporaryFolder folder;
  const std::filesystem::path encoders = goldens / "hunyuan_pipeline" / "model", vae = goldens / "vae";
  const auto reject = [&folder](const Arguments& first, const Arguments& second, const std::string& text) {
    check_rejected(run(first + Arguments{":", "-n", "1", WEFT_COMMAND} + second, WEFT_MPIRUN " -q -n 1"),
                   text);
    for (const char* out : {"out", "out.safetensors"}) CHECK(!std::filesystem::exists(folder / out));
  };
  const auto encode = [&](const std::string& prompt) {
    return Arguments{"encode", "--model", encoders, "--out", folder / "out", "--prompt", prompt};
  };
  reject(encode("a\xFF"), encode("a\xFF"), "the prompt is not UTF-8 at byte 1");
  reject(encode("a"), encode("b"), "rank 1 was asked for another prompt than rank 0");

  weft::Tensor latents = tensor_in(vae / "inputs.safetensors", "latents.12x10");
  const std::string one = folder.write("one", weft::to_safetensors({{"latents", latents}}));
  latents.data.back() += 1;
  const std::string other = folder.write("other", weft::to_safetensors({{"latents", latents}}));
  const auto decode = [&](const std::string& from) {
    return Arguments{
        "decode", "--model", vae / "model", "--latents", from, "--out", folder / "out.safetensors"};
  };
  reject(decode(one), decode(other), "rank 1 was asked for another tensor of latents than rank 0");
  reject(decode(one), encode("a"),
         "rank 1 was asked for the command encode and rank 0 for the command decode");
  reject(decode(folder / "none"), decode(folder / "none"), "none");
}

TEST_CASE("a job that cannot be done is rejected once, with exit code 2") {
  const TemporaryFolder folder;
  const auto reject = [&folder](const Arguments& more, const std::string& text) {
    const Outcome outcome = run(four_steps(more + Arguments{"--out", folder / "image.png"}), mpirun_4);
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.err.find(text) != std::string::npos);
    CHECK(std::ranges::count(outcome.err, '\n') == 1);
    CHECK(outcome.out.empty());
    CHECK(folder.count() == 0);
  };
  reject({"--cfg", "2"}, "the degrees of the mesh multiply to 2, and there are 4 ranks");
  reject({"--ulysses", "4", "--ranks", "8"}, "--ranks is 8, and mpirun has started 4 processes");
  reject({"--ulysses", "4", "--noise", folder / "none"}, "No such file");
  reject({"--ulysses", "4", "--trace", folder / "none" / "trace.json"}, "there is no folder");
  reject({"--ulysses", "4", "--timeout", "0"}, "--timeout");
  reject({"--ulysses", "4", "--warmup", "2"}, "omit --warmup");
}

TEST_CASE("processes with different requests are rejected, whatever differs") {
  const TemporaryFolder folder;
  const Arguments common{"--model", shapes, "--prompt", caption, "--latents-out", folder / "state"};
  const auto reject = [&](const Arguments& first, const Arguments& second, const std::string& sentence) {
    CAPTURE(sentence);
    // mpirun reads the arguments after its colon as those of another process.
    Arguments line = first + Arguments{":", "-n", "1", WEFT_COMMAND} + second;
    const Outcome outcome = run(line, WEFT_MPIRUN " -q -n 1");
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.err == sentence + "\n");
    CHECK(folder.count() == 0);
  };
  const Arguments generate = Arguments{"generate"} + common + Arguments{"--cfg", "2"};
  const std::string same_request = "; all ranks must be given the same request";
  reject(generate + Arguments{"--steps", "2"}, generate + Arguments{"--steps", "3"},
         "rank 1 was asked for steps 3 and rank 0 for steps 2" + same_request);
  reject(generate + Arguments{"--steps", "3"}, generate + Arguments{"--steps", "2"},
         "rank 1 was asked for steps 2 and rank 0 for steps 3" + same_request);
  reject(generate + Arguments{"--seed", "5"}, generate + Arguments{"--seed", "9"},
         "rank 1 was asked for seed 9 and rank 0 for seed 5" + same_request);
  reject(generate, generate + Arguments{"--negative", "a red circle"},
         "rank 1 was asked for another negative prompt 0 than rank 0" + same_request);
  reject(generate, generate + Arguments{"--scheduler", "ddim"},
         "rank 1 was asked for another sampler than rank 0" + same_request);
  reject(generate, Arguments{"generate"} + common + Arguments{"--ring", "2"},
         "rank 1 was asked for cfg 1 and rank 0 for cfg 2; all ranks must be given the same engine");
  reject(
      generate + Arguments{"--trace", folder / "trace.json"}, generate,
      "rank 1 was asked for no trace and rank 0 for a trace; all ranks must be given the same command line");
  reject(
      generate,
      {"denoise", "--model", shapes, "--inputs", goldens / "v12/ddim_inputs.safetensors", "--out",
       folder / "state", "--cfg", "2"},
      "rank 1 was asked for the command denoise and rank 0 for the command generate; all ranks must be given "
      "the same command line");

  const ModelCopy other(shapes);
  other.edit("transformer/config.json", "\"rope_base_size\": ", "\"rope_base_size\": 1");
  Arguments of_other = generate;
  std::ranges::replace(of_other, shapes.string(), other.path().string());
  reject(generate, of_other,
         "rank 1 was asked for another model than rank 0; all ranks must be given the same engine");
}

TEST_CASE("launchers that MPI cannot start from are rejected, by other ranks too if they still run") {
  const TemporaryFolder folder;
  const Arguments line = four_steps({"--ulysses", "4", "--out", folder / "image.png"});
  const Outcome first = run(line, torchrun(0)), second = run(line, torchrun(1));
  CHECK(first.code == 2);
  CHECK(first.err.find("torchrun has started 4 processes, and MPI") != std::string::npos);
  CHECK(first.err.find("use mpirun -n 4, or start one process, whose ranks are threads, with RANK and "
                       "WORLD_SIZE unset") != std::string::npos);
  CHECK(second.code == 2);
  CHECK(second.err == first.err);
  const Outcome srun = run(line, "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=0");
  CHECK(srun.code == 2);
  CHECK(srun.err.find("use mpirun -n 4 or srun --mpi=pmix") != std::string::npos);
  const Outcome part = run(line, "RANK=0");
  CHECK(part.code == 2);
  CHECK(part.err.find("RANK is set and WORLD_SIZE is not") != std::string::npos);
}

TEST_CASE("one process under a launcher is one process, whose ranks are threads") {
  const TemporaryFolder folder;
  CHECK(run(four_steps({"--ulysses", "2", "--out", folder / "image.png"}), WEFT_MPIRUN " -n 1").code == 0);
}
