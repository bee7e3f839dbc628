// The command `generate` on a pipeline's folder, from prompts to images.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "model_copy.hpp"
#include "png_image.hpp"
#include "weft/core/noise.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/io/weight_files.hpp"

namespace {

/// A folder for what a line of `generate` writes.
struct Run {
  TemporaryFolder folder;
  Outcome outcome{};

  explicit Run(const Arguments& more, const std::filesystem::path& model = hunyuan / "model")
      : outcome(run(Arguments{"generate", "--model", model} + more +
                    Arguments{"--image-out", folder / "image.safetensors"})) {}

  weft::Tensor image() const { return tensor_in(folder / "image.safetensors", "image"); }

  void rejects(const std::string& text) const {
    check_rejected(outcome, text);
    CHECK(folder.count() == 0);
  }
};

std::string inputs(const std::string& name) { return hunyuan / (name + "_inputs.safetensors"); }

weft::Tensor expected(const std::string& name, const char* tensor) {
  return tensor_in(hunyuan / (name + "_expected.safetensors"), tensor);
}

/// A pipeline's folder of parts of several goldens, whose weights are changed so that they fit each other.
class Assembled {
 public:
  /// Makes one with the golden's transformer and scheduler, and the small HunyuanDiT's T5 and autoencoder.
  Assembled(const std::string& pipeline, const std::string& golden, const std::string& t5) {
    folder_.write("model_index.json",
                  "{\"_class_name\": \"" + pipeline + "\", \"vae\": [\"diffusers\", \"AutoencoderKL\"]}");
    link(goldens / golden / "model", "scheduler", "scheduler");
    link(hunyuan / "model", "tokenizer_2", "tokenizer" + t5);
    link(hunyuan / "model", "text_encoder_2", "text_encoder" + t5);
    copy(goldens / golden / "model", "transformer");
    copy(hunyuan / "model", "vae");
  }

  std::filesystem::path path() const { return folder_.path(); }

  void link(const std::filesystem::path& model, const std::string& from, const std::string& to) const {
    std::filesystem::create_directory_symlink(model / from, folder_ / to);
  }
  /// Replaces a setting in a part's config.json.
  void set(const std::string& part, const std::string& from, const std::string& to) const {
    std::string text = folder_.read(part + "/config.json");
    const auto at = text.find(from);
    REQUIRE(at != text.npos);
    folder_.write(part + "/config.json", text.replace(at, from.size(), to));
  }
  /// Replaces a part's tensor by random numbers of another shape.
  void reshape(const std::string& part, const std::string& name, const weft::Shape& shape) const {
    const std::string file = part + "/diffusion_pytorch_model.safetensors";
    auto tensors = tensors_in(folder_ / part);
    weft::Tensor& tensor = tensors.at(name) = weft::Tensor(shape);
    for (std::size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = 0.1f * weft::normal(3, 0, i);
    folder_.write(file, weft::to_safetensors(tensors));
  }

 private:
  static std::map<std::string, weft::Tensor> tensors_in(const std::filesystem::path& part) {
    const weft::WeightFiles files(part);
    std::map<std::string, weft::Tensor> out;
    for (const std::string& name : files.names()) out[name] = files.find(name)->tensor();
    return out;
  }

  void copy(const std::filesystem::path& model, const std::string& part) const {
    std::filesystem::create_directory(folder_ / part);
    std::filesystem::copy(model / part / "config.json", folder_ / part);
    std::filesystem::permissions(folder_ / (part + "/config.json"), std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    folder_.write(part + "/diffusion_pytorch_model.safetensors",
                  weft::to_safetensors(tensors_in(model / part)));
  }

  TemporaryFolder folder_;
};

/// Checks that prompts make images of the size asked for, other ones of other prompts, and the same on a
/// mesh.
void check_images(const Assembled& model, const Arguments& more) {
  const Arguments line = more + Arguments{"--height", "64", "--width", "48", "--steps", "2"};
  const Run first(line + Arguments{"--prompt", "A red Car"}, model.path());
  CAPTURE(first.outcome.err);
  REQUIRE(first.outcome.code == 0);
  CHECK(first.image().shape == weft::Shape{1, 3, 64, 48});
  const Run other(line + Arguments{"--prompt", "an astronaut"}, model.path());
  CHECK(relative_error(other.image(), first.image()) > 1e-3);
  const Run split(line + Arguments{"--prompt", "A red Car", "--ulysses", "2"}, model.path());
  CHECK(relative_error(split.image(), first.image()) < 1e-4);
}

}  // namespace

TEST_CASE("generate: what does not fit the request or the model is rejected before any text is encoded") {
  const auto rejects = [](const Arguments& more, const std::string& text) {
    const Run run(
        Arguments{"--prompt", "red", "--width", "32", "--height", "32", "--resolution-binning", "off"} +
        more);
    run.rejects(text);
    CHECK(run.outcome.out.find("encode") == std::string::npos);
  };
  rejects({"--pipefusion", "2", "--patches", "50"},
          "the image is cut into 50 patches, and it has 4 tokens; use that many patches or fewer");
  rejects({"--cfg", "2", "--guidance", "1"}, "without guidance there is 1 branch to evaluate");
  rejects({"--data", "3"}, "the mesh has data 3, and there is 1 prompt");
  rejects({"--guidance-rescale", "2"}, "guidance rescale is 2 and must be from 0 to 1");
  rejects({"--max-sequence-length", "9999"},
          "encoder_hidden_states_t5 is (9999, 48) and the model needs (256, 48)");
}

TEST_CASE("generate: on a terminal reading, encoding, steps and decoding each have a bar") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"generate", "--model", hunyuan / "model", "--prompt", "red", "--steps", "2", "--width", "32",
           "--height", "32", "--resolution-binning", "off", "--out", folder / "image.png"},
          R"(sh -c 'exec script -qec "$*" /dev/null' sh)");
  CAPTURE(outcome.out);
  REQUIRE(outcome.code == 0);
  const std::string full = "\r[########################################] ",
                    none = "[........................................] ";
  for (const std::string phase : {"reading", "encoding", "decoding"}) {
    CHECK(outcome.out.find(none + phase + " 0 %") != std::string::npos);
    CHECK(outcome.out.find(full + phase + " 100 %\r\n") != std::string::npos);
  }
  CHECK(outcome.out.find("\r[####################....................] step 1 of 2") != std::string::npos);
  CHECK(outcome.out.find(full + "step 2 of 2\r\n") != std::string::npos);
}

TEST_CASE("generate: the images that diffusers' pipeline makes of its inputs, on one rank and on meshes") {
  for (const Arguments& mesh :
       {Arguments{}, Arguments{"--cfg", "2", "--ring", "2"}, Arguments{"--ranks", "2", "--mesh", "exact"}})
    for (const char* name : {"run", "run_batch"}) {
      const Run made(Arguments{"--inputs", inputs(name)} + mesh);
      CAPTURE(made.outcome.err);
      REQUIRE(made.outcome.code == 0);
      CHECK(relative_error(made.image(), expected(name, "image")) < 1e-4);
    }
}

TEST_CASE("generate: a pipeline's PNG, latents and trace, and the phases that are printed") {
  const TemporaryFolder folder;
  const Run made({"--inputs", inputs("run_batch"), "--out", folder / "image.png", "--latents-out",
                  folder / "latents.safetensors", "--trace", folder / "trace.json"});
  CAPTURE(made.outcome.err);
  REQUIRE(made.outcome.code == 0);
  CHECK(relative_error(tensor_in(folder / "latents.safetensors", "latents"),
                       expected("run_batch", "latents")) < 1e-4);
  for (weft::Index i = 0; i < 2; ++i) {
    const Image image = image_in(folder / ("image-" + std::to_string(i) + ".png"));
    CHECK(image.height == 96);
    CHECK(image.width == 80);
    CHECK(difference(image, made.image().at(i)) <= 0.5);
  }
  for (const char* phase :
       {"encode, on 1 rank: ", "generate, 4 steps on 1 rank: ", "decode, on 1 rank: ", "write, "})
    CHECK(made.outcome.out.find(phase) != std::string::npos);
}

TEST_CASE("generate: prompts on the line, and sizes that are floored or replaced by a bin's") {
  const Arguments line{"--prompt", "horse", "--steps", "1", "--height", "135", "--width", "100"};
  const Run plain(line + Arguments{"--resolution-binning", "off"});
  CAPTURE(plain.outcome.err);
  REQUIRE(plain.outcome.code == 0);
  CHECK(plain.image().shape == weft::Shape{1, 3, 128, 96});
  CHECK(plain.outcome.out.find("size: 128 × 96 is generated where 135 × 100 was asked for") !=
        std::string::npos);
  const Run guided(line + Arguments{"--resolution-binning", "off", "--negative", "sheep"});
  CHECK(relative_error(guided.image(), plain.image()) > 1e-3);
  const Run binned(line + Arguments{"--memory-limit", "0.001"});
  CHECK(binned.outcome.code == 2);
  CHECK(binned.outcome.out.find("size: 1024 × 768 is generated") != std::string::npos);
}

TEST_CASE("generate: PixArt's prompts are T5's, in lower case") {
  const Assembled model("PixArtSigmaPipeline", "pixart_sigma", "");
  model.set("transformer", "\"caption_channels\": 40", "\"caption_channels\": 48");
  model.reshape("transformer", "caption_projection.linear_1.weight", {72, 48});
  const Arguments off{"--resolution-binning", "off"};
  check_images(model, off);
  const Arguments line = off + Arguments{"--height", "64", "--width", "48", "--steps", "2"};
  CHECK(Run(line + Arguments{"--prompt", "A red Car"}, model.path()).image().data ==
        Run(line + Arguments{"--prompt", " a red car "}, model.path()).image().data);
  Run({"--prompt", "a"}, model.path()).rejects("there are no bins for a model of images of 128 pixels");
}

TEST_CASE("generate: SD3's prompts are both CLIPs' and T5's, or without T5") {
  const Assembled model("StableDiffusion3Pipeline", "sd3", "_3");
  for (const char* part : {"tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2"})
    model.link(goldens / "clip_text" / "model", part, part);
  model.set("transformer", "\"joint_attention_dim\": 40", "\"joint_attention_dim\": 48");
  model.set("transformer", "\"pooled_projection_dim\": 36", "\"pooled_projection_dim\": 28");
  model.reshape("transformer", "context_embedder.weight", {64, 48});
  model.reshape("transformer", "time_text_embed.text_embedder.linear_1.weight", {64, 28});
  model.set("vae", "\"latent_channels\": 4", "\"latent_channels\": 8");
  model.reshape("vae", "post_quant_conv.weight", {8, 8, 1, 1});
  model.reshape("vae", "post_quant_conv.bias", {8});
  model.reshape("vae", "decoder.conv_in.weight", {32, 8, 3, 3});
  check_images(model, {"--negative", "blue"});
  for (const char* part : {"tokenizer_3", "text_encoder_3"}) std::filesystem::remove(model.path() / part);
  check_images(model, {});
  Run({"--prompt", "a", "--resolution-binning", "on"}, model.path())
      .rejects("StableDiffusion3Pipeline has none");
}

TEST_CASE("generate: FLUX's prompts are T5's with CLIP's pooled vector, and have no negative") {
  const Assembled model("FluxPipeline", "flux", "_2");
  for (const char* part : {"tokenizer", "text_encoder"})
    model.link(goldens / "clip_text" / "model", part, part);
  model.set("transformer", "\"joint_attention_dim\": 40", "\"joint_attention_dim\": 48");
  model.set("transformer", "\"pooled_projection_dim\": 28", "\"pooled_projection_dim\": 8");
  model.reshape("transformer", "context_embedder.weight", {64, 48});
  model.reshape("transformer", "time_text_embed.text_embedder.linear_1.weight", {64, 8});
  model.set("vae", "\"latent_channels\": 4", "\"latent_channels\": 8");
  model.reshape("vae", "post_quant_conv.weight", {8, 8, 1, 1});
  model.reshape("vae", "post_quant_conv.bias", {8});
  model.reshape("vae", "decoder.conv_in.weight", {32, 8, 3, 3});
  check_images(model, {"--guidance", "2"});
  Run({"--prompt", "a", "--negative", "b"}, model.path())
      .rejects("there is a negative prompt, and FluxPipeline has none");
}

TEST_CASE("generate: what a pipeline cannot do is rejected, and nothing is written") {
  const Arguments prompt{"--prompt", "horse"};
  Run({}).rejects("--prompt is required, or --inputs");
  Run({"--inputs", inputs("run"), "--steps", "3"}).rejects("--steps sets what the file of --inputs sets");
  Run({"--inputs", inputs("run"), "--prompt", "a"}).rejects("omit --prompt");
  Run({"--inputs", hunyuan / "tokens_expected.safetensors"}).rejects("which generate does not read");
  Run(prompt + Arguments{"--resolution-binning", "maybe"}).rejects("there is no resolution binning maybe");
  Run(prompt + Arguments{"--scheduler", "flow_match_euler"}).rejects("trained by diffusion");
  Run(prompt + Arguments{"--max-sequence-length", "9", "--resolution-binning", "off"})
      .rejects("encoder_hidden_states_t5");
  Run(Arguments{"--prompt", caption, "--resolution-binning", "off"}, shapes)
      .rejects("--resolution-binning applies to a pipeline with text encoders");
  Run(Arguments{"--inputs", inputs("run")}, shapes).rejects("--inputs applies to a pipeline");
  const Run adapted(prompt + Arguments{"--lora", "none.safetensors"});
  adapted.rejects("cannot read none.safetensors");
  CHECK(adapted.outcome.out.find("encode") == std::string::npos);
  const ModelCopy other(hunyuan / "model");
  other.edit("model_index.json", "HunyuanDiTPipeline", "PixArtSigmaPipeline");
  Run(prompt, other.path()).rejects("the transformer of PixArtSigmaPipeline is PixArtTransformer2DModel");
  const ModelCopy wide(hunyuan / "model");
  wide.edit("vae/config.json", "\"latent_channels\": 4", "\"latent_channels\": 16");
  Run(prompt, wide.path()).rejects("latents have 4 channels, and the autoencoder decodes 16");
}

TEST_CASE(
    "--lora: as weights that were merged by hand, in fused layers, convolutions and what all blocks share") {
  const std::filesystem::path model = goldens / "v12" / "model";
  const weft::SafeTensors weights(model / weights_file);
  std::map<std::string, weft::Tensor> all, adapters;
  for (const auto& [name, entry] : weights.entries()) all[name] = entry.tensor();
  for (const std::string layer :
       {"blocks.0.attn1.to_q", "blocks.1.attn1.to_v", "blocks.3.attn2.to_k", "blocks.2.ff.net.2",
        "blocks.5.skip_linear", "pos_embed.proj", "proj_out", "text_embedder.linear_1"}) {
    weft::Tensor& weight = all.at(layer + ".weight");
    const weft::Index rank = 2, rows = weight.shape.front(), columns = weight.size() / rows;
    weft::Tensor up({rows, rank}), down({rank, columns});
    for (weft::Index i = 0; i < up.size(); ++i)
      up.data[static_cast<std::size_t>(i)] = weft::normal(1, 0, static_cast<std::uint64_t>(i));
    for (weft::Index i = 0; i < down.size(); ++i)
      down.data[static_cast<std::size_t>(i)] = 0.03f * weft::normal(2, 0, static_cast<std::uint64_t>(i));
    for (weft::Index row = 0; row < rows; ++row)
      for (weft::Index column = 0; column < columns; ++column)
        for (weft::Index k = 0; k < rank; ++k)
          weight.data[static_cast<std::size_t>(row * columns + column)] +=
              0.5f * 3 / 2 * up.view<2>()[row][k] * down.view<2>()[k][column];
    const std::string name = "transformer." + layer;
    adapters[name + ".lora_A.weight"] = std::move(down);
    adapters[name + ".lora_B.weight"] = std::move(up);
    adapters[name + ".alpha"] = weft::Tensor({1}, {3});
  }
  const ModelCopy merged(model);
  merged.replace(weights_file, weft::to_safetensors({all.begin(), all.end()}));
  const TemporaryFolder folder;
  const std::string lora =
      folder.write("lora.safetensors", weft::to_safetensors({adapters.begin(), adapters.end()}));

  const auto sample = [&folder](const std::filesystem::path& from, const Arguments& more) {
    const Outcome outcome =
        run(Arguments{"forward", "--model", from, "--inputs", goldens / "v12" / "forward_inputs.safetensors",
                      "--out", folder / "sample"} +
            more);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    return tensor_in(folder / "sample", "sample");
  };
  const weft::Tensor wanted = sample(merged.path(), {});
  CHECK(relative_error(sample(model, {"--lora", lora + ":0.5"}), wanted) < 1e-5);
  CHECK(relative_error(sample(model, {"--lora", lora + ":0.2", "--lora", lora + ":0.3", "--ulysses", "2"}),
                       wanted) < 1e-5);
  CHECK(relative_error(sample(model, {"--lora", lora + ":0.5", "--tensor", "2"}), wanted) < 1e-5);
  CHECK(relative_error(sample(model, {}), wanted) > 1e-2);
  const Outcome missing =
      run({"forward", "--model", goldens / "sd3" / "model", "--inputs",
           goldens / "sd3" / "forward_inputs.safetensors", "--out", folder / "none", "--lora", lora});
  CHECK(missing.code == 2);
  CHECK(missing.err.find("fits no layer of") != std::string::npos);
}

TEST_CASE("generate --lora: adapters change a pipeline's image by as much as their scale") {
  const std::filesystem::path folder = goldens / "pipelines" / "sd3";
  const TemporaryFolder adapters;
  const std::string layer = "transformer.transformer_blocks.1.attn.to_q";
  const std::string lora = adapters.write(
      "lora.safetensors",
      weft::to_safetensors({{layer + ".lora_A.weight", weft::Tensor({1, 16}, std::vector<float>(16, 0.5f))},
                            {layer + ".lora_B.weight", weft::Tensor({16, 1}, std::vector<float>(16, 1))}}));
  const weft::Tensor image = tensor_in(folder / "run_expected.safetensors", "image");
  const auto generated = [&folder](const std::string& adapter) {
    const Run run({"--inputs", folder / "run_inputs.safetensors", "--lora", adapter}, folder / "model");
    CAPTURE(run.outcome.err);
    REQUIRE(run.outcome.code == 0);
    return run.image();
  };
  CHECK(relative_error(generated(lora + ":0"), image) < 1e-4);
  CHECK(relative_error(generated(lora), image) > 1e-2);
}
