// What every model's prompt is made of, and what a request is resolved to.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "../io/temporary_folder.hpp"
#include "weft/pipeline/generation.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::Tensor;
using namespace weft::pipeline;

namespace {

/// Returns (rows, columns) of first, first + 1, …
Tensor counted(Index rows, Index columns, float first) {
  Tensor out({rows, columns});
  for (float& value : out.data) value = first++;
  return out;
}

weft::text::EncodedText text(const Tensor& states, std::vector<weft::text::Id> mask = {}) {
  return {.states = states, .mask = std::move(mask)};
}
weft::text::EncodedText clip(const Tensor& penultimate, const std::vector<float>& pooled) {
  return {.states = {},
          .penultimate = penultimate,
          .pooled = Tensor({static_cast<Index>(pooled.size())}, pooled),
          .mask = {}};
}

weft::Config settings_of(const std::string& golden) {
  return weft::Config::read(std::filesystem::path(WEFT_GOLDENS_DIR) / golden /
                            "model/transformer/config.json");
}

}  // namespace

TEST_CASE("HunyuanDiT's prompt: states and masks of both encoders, and the final size") {
  const EncodedPrompt encoded{{"text_encoder", text(counted(2, 3, 1), {1, 0})},
                              {"text_encoder_2", text(counted(3, 2, 7), {1, 1, 0})}};
  const weft::HunyuanConfig config(settings_of("v12"));
  const weft::HunyuanPrompt prompt = prompt_of(encoded, config, {.size = {768, 1280}});
  CHECK(prompt.clip.data == counted(2, 3, 1).data);
  CHECK(prompt.clip_mask.data == std::vector<float>{1, 0});
  CHECK(prompt.t5.data == counted(3, 2, 7).data);
  CHECK(prompt.t5_mask.data == std::vector<float>{1, 1, 0});
  CHECK(prompt.size.data == std::vector<float>{1024, 1024, 768, 1280, 0, 0});
  CHECK_THROWS_WITH_AS(static_cast<void>(prompt_of({{"text_encoder", {}}}, config, {})),
                       Contains("text_encoder_2/, which this model needs"), InvalidArgument);
}

TEST_CASE("PixArt's prompt: T5's states and mask, and α's size in pixels") {
  const EncodedPrompt encoded{{"text_encoder", text(counted(2, 3, 1), {1, 0})}};
  const weft::PixArtPrompt sigma = prompt_of(encoded, weft::PixArtConfig(settings_of("pixart_sigma")), {});
  CHECK(sigma.states.data == counted(2, 3, 1).data);
  CHECK(sigma.mask.data == std::vector<float>{1, 0});
  CHECK(sigma.resolution.empty());
  const weft::PixArtPrompt alpha =
      prompt_of(encoded, weft::PixArtConfig(settings_of("pixart_alpha")), {.size = {512, 1024}});
  CHECK(alpha.resolution.data == std::vector<float>{512, 1024});
  CHECK(alpha.aspect_ratio.data == std::vector<float>{0.5f});
}

TEST_CASE("SD3's prompt: CLIPs side by side, filled up to T5's width, and T5 or zeros below") {
  const weft::SD3Config config(settings_of("sd3"));
  const Index width = config.text_width;
  REQUIRE(width >= 5);
  EncodedPrompt encoded{{"text_encoder", clip(counted(2, 2, 1), {1, 2})},
                        {"text_encoder_2", clip(counted(2, 3, 11), {3, 4, 5})}};
  const weft::JointPrompt without = prompt_of(encoded, config, {});
  CHECK(without.states.shape == weft::Shape{2 + 256, width});
  CHECK(without.pooled.data == std::vector<float>{1, 2, 3, 4, 5});
  const float first[] = {1, 2, 11, 12, 13}, second[] = {3, 4, 14, 15, 16};
  for (Index i = 0; i < width; ++i) {
    CHECK(without.states.view<2>()[0][i] == (i < 5 ? first[i] : 0));
    CHECK(without.states.view<2>()[1][i] == (i < 5 ? second[i] : 0));
    CHECK(without.states.view<2>()[2][i] == 0);
  }
  encoded["text_encoder_3"] = text(counted(4, width, 100));
  const weft::JointPrompt with = prompt_of(encoded, config, {});
  CHECK(with.states.shape == weft::Shape{2 + 4, width});
  CHECK(with.states.view<2>()[2][0] == 100);
  CHECK(with.states.view<2>()[5][width - 1] == 100 + 4 * static_cast<float>(width) - 1);
  encoded["text_encoder_2"] = clip(counted(2, width, 0), {1});
  CHECK_THROWS_WITH_AS(static_cast<void>(prompt_of(encoded, config, {})), Contains("do not fit at row 0"),
                       InvalidArgument);
}

TEST_CASE("FLUX's prompt: T5's states, CLIP's pooled vector and the scale of guidance") {
  const EncodedPrompt encoded{{"text_encoder", clip({}, {1, 2})},
                              {"text_encoder_2", text(counted(3, 2, 7), {1, 0, 0})}};
  const weft::JointPrompt prompt =
      prompt_of(encoded, weft::FluxConfig(settings_of("flux")), {.guidance = 3.5f});
  CHECK(prompt.states.data == counted(3, 2, 7).data);
  CHECK(prompt.pooled.data == std::vector<float>{1, 2});
  CHECK(prompt.guidance == 3.5f);
}

namespace {

/// A pipeline's folder without weights.
struct Folder {
  explicit Folder(const std::string& name, const std::string& golden, int channels = 4,
                  const std::string& setting = "", const std::string& other = "") {
    const std::filesystem::path model = std::filesystem::path(WEFT_GOLDENS_DIR) / golden / "model";
    for (const char* part : {"transformer", "scheduler", "vae"})
      std::filesystem::create_directories(folder / part);
    folder.write("model_index.json",
                 "{\"_class_name\": \"" + name + "\", \"vae\": [\"diffusers\", \"AutoencoderKL\"]}");
    std::string config(weft::MappedFile(model / "transformer/config.json").text());
    if (!setting.empty()) config.replace(config.find(setting), setting.size(), other);
    folder.write("transformer/config.json", config);
    std::filesystem::copy(model / "scheduler/scheduler_config.json",
                          folder / "scheduler/scheduler_config.json");
    folder.write("vae/config.json", "{\"block_out_channels\": [32, 32, 32, 32], \"latent_channels\": " +
                                        std::to_string(channels) + "}");
  }

  template <class Settings>
  Generation<Settings> asked(const ImageRequest& request) const {
    const Settings settings(weft::Config::read(folder / "transformer/config.json"));
    return generation_of(PipelineFolder(folder.path()), settings, request);
  }

  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a pipeline's defaults, and what replaces them") {
  const Folder folder("HunyuanDiTPipeline", "v12");
  const auto plain =
      folder.asked<weft::HunyuanConfig>({.prompts = {"a", "b"}, .height = 1024, .width = 1024});
  CHECK(plain.request.sampler.size() == 50);
  CHECK(plain.request.reuse.empty());
  const auto reusing = folder.asked<weft::HunyuanConfig>({.prompts = {"a"}, .reuse = {{1, 3}, 2}});
  CHECK(reusing.request.reuse == weft::Reuse{{1, 3}, 2});
  CHECK(plain.request.guidance == 5);
  CHECK(plain.request.height == 128);
  CHECK(plain.texts == std::vector<std::string>{"", "", "a", "b"});
  const auto other = folder.asked<weft::HunyuanConfig>({.prompts = {"a", "b"},
                                                        .negatives = {"c"},
                                                        .height = 130,
                                                        .width = 190,
                                                        .resolution_binning = false,
                                                        .scheduler = "ddim",
                                                        .steps = 7,
                                                        .guidance = 3.0f,
                                                        .seed = 9});
  CHECK(other.request.sampler.size() == 7);
  CHECK(other.request.guidance == 3);
  CHECK(other.request.seed == 9);
  CHECK(other.request.height == 16);
  CHECK(other.request.width == 22);
  CHECK(other.prompt_settings.size == PixelSize{128, 176});
  CHECK(other.texts == std::vector<std::string>{"c", "c", "a", "b"});
  const auto unguided = folder.asked<weft::HunyuanConfig>({.prompts = {"a"}, .guidance = 1.0f});
  CHECK(unguided.texts == std::vector<std::string>{"a"});
}

TEST_CASE("what a pipeline cannot do is rejected before text is encoded") {
  const Folder folder("HunyuanDiTPipeline", "v12");
  const auto rejects = [&folder](const ImageRequest& request, const char* text) {
    CHECK_THROWS_WITH_AS(static_cast<void>(folder.asked<weft::HunyuanConfig>(request)), Contains(text),
                         InvalidArgument);
  };
  rejects({}, "has no prompt");
  rejects({.prompts = {"a"}, .negatives = {"b", "c"}}, "2 negative prompts for 1 prompt");
  rejects({.prompts = {"a"}, .negatives = {"b"}, .guidance = 1.0f}, "guidance 1 is none");
  rejects({.prompts = {"a"}, .scheduler = "flow_match_euler"}, "trained by diffusion");
  rejects({.prompts = {"a"}, .steps = 0}, "steps is 0");
  rejects({.prompts = {"a"}, .guidance = NAN}, "must be a finite number");
  rejects({.prompts = {"a"}, .preview_every = -1}, "-1 steps between previews");
  CHECK_THROWS_WITH_AS(
      static_cast<void>(
          Folder("HunyuanDiTPipeline", "v12", 16).asked<weft::HunyuanConfig>({.prompts = {"a"}})),
      Contains("the autoencoder decodes 16"), InvalidArgument);
  CHECK_THROWS_WITH_AS(PipelineFolder(Folder("PixArtAlphaPipeline", "v12").folder.path()),
                       Contains("the transformer of PixArtAlphaPipeline is PixArtTransformer2DModel"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(PipelineFolder(Folder("LuminaPipeline", "v12").folder.path()),
                       Contains("_class_name is LuminaPipeline; there are HunyuanDiTPipeline"),
                       InvalidArgument);
}

TEST_CASE("FLUX: guidance is an input of dev, and schnell has none") {
  const weft::FluxConfig config(settings_of("flux"));
  REQUIRE(config.embeds_guidance);
  const Folder dev("FluxPipeline", "flux", static_cast<int>(config.channels));
  const ImageRequest request{.prompts = {"a"}, .height = 64, .width = 64};
  const auto plain = dev.asked<weft::FluxConfig>(request);
  CHECK(plain.request.guidance == 1);
  CHECK(plain.prompt_settings.guidance == 3.5f);
  CHECK(plain.request.sampler.size() == 28);
  CHECK(plain.texts == std::vector<std::string>{"a"});
  ImageRequest negative = request;
  negative.negatives = {"b"};
  CHECK_THROWS_WITH_AS(static_cast<void>(dev.asked<weft::FluxConfig>(negative)),
                       Contains("FluxPipeline has none"), InvalidArgument);

  const Folder schnell("FluxPipeline", "flux", static_cast<int>(config.channels), "\"guidance_embeds\": true",
                       "\"guidance_embeds\": false");
  const auto distilled = schnell.asked<weft::FluxConfig>(request);
  CHECK(distilled.prompt_settings.guidance == 0);
  CHECK(distilled.request.sampler.size() == 4);
  ImageRequest guided = request;
  guided.guidance = 3.5f;
  CHECK_THROWS_WITH_AS(static_cast<void>(schnell.asked<weft::FluxConfig>(guided)),
                       Contains("guidance is 3.5, and this model has none"), InvalidArgument);
}

TEST_CASE("prompts take the places of their texts") {
  const Folder folder("PixArtSigmaPipeline", "pixart_sigma");
  auto generation = folder.asked<weft::PixArtConfig>(
      {.prompts = {"a", "b"}, .height = 32, .width = 32, .resolution_binning = false});
  CHECK(generation.request.guidance == 4.5f);
  CHECK(generation.request.sampler.size() == 20);
  std::vector<EncodedPrompt> encoded;
  for (int i = 0; i < 4; ++i)
    encoded.push_back({{"text_encoder", text(counted(1, 1, static_cast<float>(i)), {1})}});
  set_prompts(generation, weft::PixArtConfig(settings_of("pixart_sigma")), encoded);
  REQUIRE(generation.request.negatives.size() == 2);
  REQUIRE(generation.request.prompts.size() == 2);
  CHECK(generation.request.negatives[1].states.data.front() == 1);
  CHECK(generation.request.prompts[0].states.data.front() == 2);
}
