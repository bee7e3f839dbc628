#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "model_copy.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace {

/// Checks for exit code 2, one sentence with `text` on stderr, and no files.
void rejected(const TemporaryFolder& folder, const Arguments& arguments, const std::string& text) {
  const auto files = folder.count();
  const Outcome outcome = run(arguments);
  CAPTURE(text);
  CAPTURE(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find(text) != std::string::npos);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(outcome.err.ends_with('\n'));
  CHECK(outcome.out.empty());
  CHECK(folder.count() == files);
}

struct Rejections {
  TemporaryFolder folder;

  Arguments generate(const Arguments& more, const std::string& prompt = caption,
                     const std::filesystem::path& model = shapes) const {
    return Arguments{"generate",           "--model", model.string(),       "--prompt", prompt, "--out",
                     folder / "image.png", "--trace", folder / "trace.json"} +
           more;
  }
  Arguments evaluate(const std::filesystem::path& inputs, const Arguments& more = {}) const {
    return Arguments{"forward", "--model", goldens / "v12" / "model", "--inputs",
                     inputs,    "--out",   folder / "sample"} +
           more;
  }
  Arguments denoise(const std::filesystem::path& inputs) const {
    return {"denoise", "--model", goldens / "v12" / "model", "--inputs", inputs, "--out", folder / "latents"};
  }

  void reject(const Arguments& arguments, const std::string& text) const {
    rejected(folder, arguments, text);
  }
  void reject_generate(const Arguments& more, const std::string& text) const { reject(generate(more), text); }

  /// Writes the tensors and metadata of a golden's file with a change, and returns the path.
  template <class Change>
  std::filesystem::path changed(const std::string& golden, Change change) const {
    const weft::SafeTensors file(goldens / "v12" / golden);
    std::map<std::string, weft::Tensor> tensors;
    for (const auto& [name, entry] : file.entries()) tensors[name] = entry.tensor();
    std::map<std::string, std::string> metadata(file.metadata().begin(), file.metadata().end());
    change(tensors, metadata);
    return folder.write("changed.safetensors", weft::to_safetensors(tensors, metadata));
  }
};

/// Returns a safetensors file: the length of the header, or a wrong one, the header, and zeros.
std::string safetensors(const std::string& header, std::size_t zeros, std::uint64_t length = 0) {
  if (length == 0) length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
         std::string(zeros, '\0');
}

}  // namespace

TEST_CASE_FIXTURE(Rejections, "a mesh whose degrees do not multiply to the ranks") {
  reject_generate({"--cfg", "2", "--ranks", "3"},
                  "the degrees of the mesh multiply to 2, and there are 3 ranks");
  reject_generate({"--cfg", "1", "--ranks", "2"}, "they must multiply to 2");
}

TEST_CASE_FIXTURE(Rejections, "a mesh that takes more memory than there is") {
  reject_generate(
      {"--pipefusion", "2", "--steps", "2", "--memory-limit", "0.037"},
      "pipe2, 2 patches takes 42.5 MB of memory for 2 ranks, and 37 MB may be taken; cfg2 would fit");
  reject_generate({"--memory-limit", "0.03"},
                  " MB of memory, and 30 MB may be taken; no mesh would fit, so ask for fewer or "
                  "smaller images");
  reject_generate(
      {"--memory-limit", "0.02"},
      "its weights alone take 26.2 MB, however few and small the images are; raise --memory-limit");
  reject_generate({"--height", "4096", "--width", "4096", "--memory-limit", "0.1"}, "100 MB may be taken");
  reject_generate({"--memory-limit", "0"}, "--memory-limit: 0 is not a number from 0.001 to 100000");
}

TEST_CASE_FIXTURE(Rejections, "a mesh that breaks a rule") {
  reject_generate({"--cfg", "3"}, "the mesh has cfg 3");
  reject_generate({"--ulysses", "5"}, "the model has 4 heads");
  reject_generate({"--tensor", "5"},
                  "can be cut into 4 slices, by heads and by hidden features; use tensor 4");
  reject_generate({"--tensor", "2", "--ulysses", "3"}, "a slice of the model has 2 heads; use ulysses 2");
  reject_generate({"--pipefusion", "6"}, "at most 5 stages");
  reject_generate({"--pipefusion", "2", "--patches", "1"}, "as many as stages, 2, or more; use 2");
  reject_generate({"--patches", "257"}, "it has 256 tokens");
  reject_generate({"--pipefusion", "2", "--warmup", "0"}, "0 warm-up steps");
  reject_generate({"--data", "2"}, "there is 1 prompt");
  reject_generate({"--ring", "0"}, "--ring: 0 is not a whole number from 1 to 1024");
  reject_generate({"--ulysses", "99999999999"}, "--ulysses: 99999999999 is not a whole number");
  reject_generate({"--ring-cache", "forget"},
                  "there is no ring cache forget; there are automatic, rotate and copy");
  reject(evaluate(goldens / "v12" / "forward_inputs.safetensors", {"--cfg", "3"}), "the mesh has cfg 3");
}

TEST_CASE_FIXTURE(Rejections, "dtypes that the host does not compute in") {
  reject_generate({"--dtype", "fp8"},
                  "the host computes in fp32 alone; omit --dtype fp8, or use --backend cuda");
  reject_generate({"--dtype", "fp4"}, "there is no dtype fp4; there are fp32, bf16, fp16 and fp8");
  reject_generate(
      {"--attention", "int8"},
      "--attention int8 cannot be combined with --dtype fp32; omit it, or compute on cuda in bf16, fp16 "
      "or fp8");
  reject_generate({"--attention", "int4"}, "there is no attention in int4; there are bf16 and int8");
}

TEST_CASE_FIXTURE(Rejections, "captions that the model cannot read") {
  reject(generate({}, "a red mouse on gray"),
         "\"mouse\" is not a word of the model; the words are a, of, on, red");
  reject(generate({}, "<pad>"), "is the padding");
  reject(generate({"--negative", "ugly"}), "\"ugly\"");
  reject(generate({"--prompt", "a blue mouse"}), "\"mouse\"");
  reject(generate({}, "a a a a a a a a a a a a a a a a a"), "has 17 words, and at most 16 fit");
}

TEST_CASE_FIXTURE(Rejections, "sampler settings out of range") {
  reject_generate({"--scheduler", "euler"},
                  "there is no scheduler euler; there are ddpm, ddim, dpmpp and flow_match_euler");
  reject_generate({"--steps", "0"}, "steps is 0 and must be from 1 to 999");
  reject_generate({"--steps", "1001"}, "steps is 1001 and must be from 1 to 999");
  reject_generate({"--steps", "2147483647"}, "must be from 1 to 999");
  reject_generate({"--steps", "-3"}, "steps is -3");
  reject_generate({"--guidance", "nan"}, "guidance is nan and must be a finite number");
  reject_generate({"--guidance-rescale", "2"}, "guidance rescale is 2 and must be from 0 to 1");
  reject_generate({"--seed", "-1"}, "--seed: -1 is not a whole number");
}

TEST_CASE_FIXTURE(Rejections, "scheduler settings that are not supported") {
  const ModelCopy model(shapes);
  const auto reject_with = [&](const char* settings, const char* fault, const Arguments& more = {}) {
    model.replace("scheduler/scheduler_config.json", std::string_view(settings));
    reject(generate(more, caption, model.path()), fault);
  };
  reject_with(
      R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})",
      "the scheduler is of flow matching, and this model was trained by diffusion; use ddpm, ddim or dpmpp");
  reject_with(R"({"_class_name": "EulerDiscreteScheduler"})",
              "_class_name is EulerDiscreteScheduler, and DDPMScheduler, DDIMScheduler, "
              "DPMSolverMultistepScheduler and FlowMatchEulerDiscreteScheduler work here");
  reject_with(R"({"beta_start": 0.001})", "names no _class_name");
  const char* const unusual = R"({"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3})";
  reject_with(unusual, "scheduler_config.json: solver_order is 3, and 1 and 2 work here");
  reject_with(unusual, "steps is 0 and must be from 1 to 1000", {"--scheduler", "ddim", "--steps", "0"});
}

TEST_CASE_FIXTURE(Rejections, "sizes that are not whole numbers of patches") {
  reject_generate({"--height", "30"}, "the height is 30 pixels and must be a multiple of 4; 32 would do");
  reject_generate({"--width", "0"}, "the width is 0 pixels and must be a multiple of 4; 4 would do");
  reject_generate({"--width", "-64"}, "the width is -64 pixels");
  reject_generate({"--width", "2147483644"}, "at most 16384");
}

TEST_CASE_FIXTURE(Rejections, "starting noise of another shape") {
  reject_generate({"--noise", goldens / "shapes_ddim20.safetensors"},
                  "the starting noise is (2, 3, 64, 64) and must be (1, 3, 64, 64)");
  reject_generate({"--noise", folder / "missing"}, "No such file");
}

TEST_CASE_FIXTURE(Rejections, "models that do not work") {
  reject(generate({}, caption, folder / "missing"), "No such file");

  const ModelCopy odd(shapes);
  odd.edit("transformer/config.json", "\"num_layers\": 10", "\"num_layers\": 9");
  reject(generate({}, caption, odd.path()), "num_layers is 9 and must be even");

  const ModelCopy wider(shapes);
  wider.edit("transformer/config.json", "\"mlp_ratio\": 4.0", "\"mlp_ratio\": 5.0");
  reject(generate({}, caption, wider.path()), "misshapen");
}

TEST_CASE_FIXTURE(Rejections, "JSON that is not valid") {
  for (const char* file : {"transformer/config.json", "scheduler/scheduler_config.json"}) {
    const ModelCopy model(shapes);
    for (const auto& [text, fault] : std::vector<std::pair<std::string, std::string>>{
             {"{\"num_layers\": ", "is not valid JSON at line 1"},
             {"[1, 2]", "must be a JSON object"},
             {"", "is not valid JSON"}}) {
      model.replace(file, std::string_view(text));
      reject(generate({}, caption, model.path()), fault);
    }
  }
}

TEST_CASE_FIXTURE(Rejections, "safetensors with false headers") {
  const std::string whole = R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})";
  const std::vector<std::pair<std::string, std::string>> files{
      {"short", "7 bytes"},
      {safetensors(whole, 16, 1000), "is truncated"},
      {safetensors(whole, 16, std::uint64_t{1} << 62), "announces a header of"},
      {safetensors(whole, 12), "the data end at 12"},
      {safetensors(whole, 20), "are no tensor's"},
      {safetensors(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})", 16), "needs 20"},
      {safetensors(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
                   R"("b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}})",
                   24),
       "overlap"},
      {safetensors(R"({"a":{"dtype":"F9","shape":[4],"data_offsets":[0,16]}})", 16), "has dtype"},
      {safetensors("{", 16), "not valid JSON"},
  };
  const ModelCopy model(shapes);
  for (const auto& [content, fault] : files) {
    const std::string text = content == "short" ? std::string(7, '\0') : content;
    model.replace(weights_file, std::string_view(text));
    reject(generate({}, caption, model.path()), fault);
    const auto file = folder.write("file", std::string_view(text));
    reject(evaluate(file), fault);
    reject(denoise(file), fault);
    reject_generate({"--noise", file}, fault);
  }
}

TEST_CASE_FIXTURE(Rejections, "inputs that do not match the model") {
  reject(evaluate(goldens / "v12" / "ddim_inputs.safetensors"),
         "which forward does not read; it reads rope_base_size");
  reject(evaluate(changed("forward_inputs.safetensors",
                          [](auto& tensors, auto&) { tensors.erase("hidden_states"); })),
         "has no tensor hidden_states");
  reject(denoise(goldens / "v12" / "forward_inputs.safetensors"), "has no tensor latents");

  const auto with = [&](const char* tensor, float value) {
    return changed("forward_inputs.safetensors",
                   [&](auto& tensors, auto&) { tensors.at(tensor).data.back() = value; });
  };
  reject(evaluate(with("hidden_states", NAN)), "tensor hidden_states holds nan");
  reject(evaluate(with("timestep", INFINITY)), "tensor timestep holds inf");
  reject(evaluate(changed("forward_inputs.safetensors",
                          [](auto& tensors, auto&) { tensors["timestep"] = weft::Tensor({3}); })),
         "the times is (3) and must be (2)");
  reject(evaluate(changed("forward_inputs.safetensors",
                          [](auto& tensors, auto&) {
                            tensors["hidden_states"] = weft::Tensor({2, 3, 16, 16});
                          })),
         "the latents is (2, 3, 16, 16) and must be (2, 4, 16, 16)");

  const auto setting = [&](const char* key, const char* value) {
    return changed("ddpm_inputs.safetensors", [&](auto&, auto& metadata) { metadata[key] = value; });
  };
  reject(denoise(setting("steps", "eight")), "the metadata have steps eight");
  reject(denoise(setting("step", "8")),
         "has the setting step, which denoise does not read; it reads steps, ");
  reject(denoise(setting("rope_base_size", "32")),
         "has rope_base_size 32, and the model has 4; set rope_base_size in the model's config.json");
  reject(denoise(setting("mu", "0.5")), "has the setting mu, which denoise does not read");
  reject(
      evaluate(changed("forward_inputs.safetensors", [](auto&, auto& metadata) { metadata["steps"] = "8"; })),
      "has the setting steps, which forward does not read; it reads rope_base_size");
  reject(denoise(setting("steps", "8.5")), "the metadata have steps 8.5");
  reject(denoise(setting("steps", "5000")), "steps is 5000");
  reject(denoise(setting("steps", "7")), "the noise of the steps is (8, 1, 4, 16, 16)");
  reject(denoise(setting("scheduler", "euler")), "there is no scheduler euler");
  reject(denoise(setting("scheduler.prediction_type", "velocity")),
         "scheduler_config.json with the metadata: prediction_type is velocity, and DDPMScheduler here knows "
         "epsilon, v_prediction and sample");
  reject(denoise(setting("scheduler.beta_end", "-inf")), "beta_end is -Infinity and must be a finite number");
  reject(denoise(setting("scheduler.steps_offset", "1, \"x\": 2")), "steps_offset is \"1, \\\"x\\\": 2\"");
  reject(denoise(changed("ddpm_inputs.safetensors",
                         [](auto& tensors, auto&) {
                           tensors["latents"] = weft::Tensor({4, 16, 16});
                         })),
         "must be (images, channels, height, width)");
}

TEST_CASE_FIXTURE(Rejections, "outputs that cannot be written") {
  const std::string missing = folder / "missing" / "file", taken = folder.path();
  const Arguments plain{"generate", "--model", shapes, "--prompt", caption};
  reject(plain + Arguments{"--out", missing}, "there is no folder");
  reject(plain + Arguments{"--out", taken}, "it is a folder");
  reject(plain + Arguments{"--latents-out", missing}, "there is no folder");
  reject(plain + Arguments{"--out", folder / "image.png", "--trace", missing}, "there is no folder");
  reject(plain + Arguments{"--out", folder / "a", "--latents-out", folder / "a"}, "two outputs");
  reject(plain + Arguments{"--out", ""}, "--out is empty; give it a value, or omit it");
  reject(plain, "there is nothing to write");
  reject(evaluate(goldens / "v12" / "forward_inputs.safetensors", {"--trace", missing}),
         "there is no folder");
}

TEST_CASE_FIXTURE(Rejections, "outputs that are named for another format, or for a stream") {
  const Arguments plain{"generate", "--model", shapes, "--prompt", caption};
  reject(plain + Arguments{"--out", folder / "a.jpg"},
         "a.jpg, and what is written there is png; " + (folder / "a.png").string() + " would do");
  reject(plain + Arguments{"--out", folder / "a.safetensors"}, "a.png would do");
  reject(plain + Arguments{"--out", "-"}, "--out - would be a file named -");
  reject(plain + Arguments{"--latents-out", folder / "a.pt"}, "a.safetensors would do");
  reject(plain + Arguments{"--out", folder / "a.png", "--trace", folder / "a.txt"}, "a.json would do");
  reject(evaluate(goldens / "v12" / "forward_inputs.safetensors", {"--trace", "-"}), "--trace - would be");
  const Arguments plan{"plan", "--hardware", "a100-nvlink", "--px", "512"};
  reject(plan + Arguments{"--svg", folder / "a.png"}, "--svg is ");
  reject(plan + Arguments{"--json", folder / "a.svg"}, "a.json would do");
  reject(plan + Arguments{"--json", folder / "a", "--svg", folder / "a"}, "two outputs");
  reject({"bench", "--project", "--backend", "host", "--json", folder / "a.csv"}, "a.json would do");
}

TEST_CASE_FIXTURE(Rejections,
                  "models whose files have other names, or are Git LFS pointers or dangling links") {
  const std::string_view pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n";
  for (const char* file : {"transformer/config.json", "scheduler/scheduler_config.json", "text/vocab.txt",
                           "text/embeddings.safetensors", weights_file}) {
    const ModelCopy model(shapes);
    model.replace(file, pointer);
    reject(generate({}, caption, model.path()), std::string(file) + " is a Git LFS pointer");
    std::filesystem::remove(model.path() / file);
    std::filesystem::create_symlink("nowhere", model.path() / file);
    reject(generate({}, caption, model.path()), "is a link to nowhere, which is not there");
  }
  const ModelCopy model(shapes);
  std::filesystem::rename(model.path() / weights_file,
                          model.path() / "transformer/diffusion_pytorch_model.fp16.safetensors");
  reject(generate({}, caption, model.path()), "it has diffusion_pytorch_model.fp16.safetensors: rename");
}

TEST_CASE_FIXTURE(Rejections, "images of a model of latents") {
  const auto latent = goldens / "v12" / "model";
  reject(generate({}, caption, latent), "and so cannot read captions");

  const ModelCopy with_text(latent);
  std::filesystem::create_directory_symlink(shapes / "text", with_text.path() / "text");
  reject(generate({}, caption, with_text.path()), "omit --out and keep them with --latents-out");
  reject(generate({"--height", "60"}, caption, with_text.path()), "must be a multiple of 16; 64 would do");
}

TEST_CASE_FIXTURE(Rejections, "text in place of a number, with the range") {
  reject_generate({"--guidance", "much"}, "--guidance: much is not a number; 5 is usual");
  reject_generate({"--guidance-rescale", "all"}, "--guidance-rescale: all is not a number from 0 to 1");
  reject_generate({"--seed", "-1"}, "--seed: -1 is not a whole number from 0 to 18446744073709551615");
  reject_generate({"--height", "tall"}, "--height: tall is not a whole number of pixels, such as 1024");
  reject_generate({"--width", "99999999999"}, "--width: 99999999999 is not a whole number of pixels");
  reject_generate({"--warmup", "long"}, "--warmup: long is not a whole number from 0");
  reject_generate({"--timeout", "never"}, "--timeout: never is not a number from 0.1 to 100000");
  reject_generate({"--cfg", "two"}, "--cfg: two is not a whole number from 1 to 1024");
  reject_generate({"--ranks", "0"}, "--ranks: 0 is not a whole number from 1 to 1024");
  reject_generate({"--patches", "all"}, "--patches: all is not a whole number from 1 to 1073741824");
  const Arguments plan{"plan", "--hardware", "a100-nvlink"};
  reject(plan + Arguments{"--steps", "many"}, "--steps: many is not a whole number from 1 to 1000");
  reject(plan + Arguments{"--gpus", "all"}, "--gpus: all is not a whole number from 1 to 4096");
  reject(plan + Arguments{"--px", "wide"}, "--px: wide is not a whole number from 16 to 16384");
  reject(plan + Arguments{"--tokens", "0"}, "--tokens: 0 is not a whole number from 1 to 16777216");
}

TEST_CASE_FIXTURE(Rejections, "benches that cannot run, before a device is looked for") {
  reject({"bench", "--cfg", "3"}, "512 px: the mesh has cfg 3");
  reject({"bench", "--cfg", "2", "--ranks", "3"},
         "the degrees of the mesh multiply to 2, and there are 3 ranks");
  reject({"bench", "--ranks", "1", "--px", "1000"},
         "--px is 1000 pixels and must be a multiple of 16; 1008 would do");
  reject({"bench", "--ranks", "1", "--trace", "trace.json"},
         "--trace trace.json were not expected; weft bench --help lists the options");
  reject({"bench", "--arch", "flux"},
         "there is no architecture flux; there are hunyuan-v1.2, pixart-alpha, pixart-sigma, sd3-medium, "
         "sd3.5-medium, sd3.5-large, flux-dev and flux-schnell");
  reject({"bench", "--arch", "flux-dev", "--cfg", "2"}, "512 px: the mesh has cfg 2");
  reject({"bench", "--arch", "sd3.5-large", "--ulysses", "39"}, "512 px: the mesh has ulysses 39");
}

TEST_CASE_FIXTURE(Rejections, "lines that cannot be parsed") {
  reject(
      {},
      "no command is given; there are generate, forward, denoise, decode, bench, plan, tokenize and encode");
  reject({"draw"}, "there is no command draw");
  reject({"generate"}, "--model");
  reject({"generate", "--model", shapes, "--out", folder / "a.png"}, "--prompt");
  reject({"forward", "--model", shapes, "--out", folder / "a"}, "--inputs");
  reject_generate({"--colour", "red"}, "--colour");
  reject_generate({"--steps"}, "--steps");
  reject_generate({"--steps", "many"}, "--steps: many is not a whole number from 1");
  reject_generate({"--steps", "1.5"}, "--steps: 1.5 is not a whole number from 1");
  reject_generate({"--steps", "5", "--steps", "6"}, "--steps");
  reject({"generate", "--model", shapes, "--out", folder / "a.png", "--prompt", "a", "red"}, "red");
  reject_generate({"--num_inference_steps", "4", "now"},
                  "--num_inference_steps 4 now were not expected; weft generate --help");
  reject({"generate", "--promt", "a"}, "--promt a were not expected");
  reject({"--model", shapes, "generate", "--prompt", "a"},
         "--model stands before the command; write weft generate --model …");
  reject({"--model", shapes}, "no command stands before --model; there are generate");
}

TEST_CASE_FIXTURE(Rejections, "a stack that is too small for the ranks") {
  const Outcome outcome = run(generate({"--steps", "1"}), "ulimit -s 200;");
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "the stack may grow to 200 KiB and needs 512; ulimit -s 8192 is usual\n");
}
