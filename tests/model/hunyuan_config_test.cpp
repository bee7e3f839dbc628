#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>

#include "golden.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weight_tensors.hpp"

using doctest::Contains;
using weft::HunyuanConfig;
using weft::HunyuanPrompt;
using weft::InvalidArgument;
using weft::Shape;
using weft::Tensor;

TEST_CASE("HunyuanConfig: the goldens' settings") {
  const HunyuanConfig v12 = config_with("v12"), v11 = config_with("v11_hd88");
  CHECK(v12.shape() == weft::DitShape{.blocks = 8,
                                      .width = 64,
                                      .heads = 4,
                                      .head_dim = 16,
                                      .patch = 2,
                                      .channels = 4,
                                      .out_channels = 8,
                                      .placement = weft::Placement::folded,
                                      .ffn = 256});
  CHECK(v12.ffn == 256);
  CHECK(v12.text_length() == 16);
  CHECK(v12.features() == 16);
  CHECK(v12.rope_base == 4);
  CHECK(!v12.size_and_style);
  CHECK(v11.size_and_style);
  CHECK(v11.head_dim == 88);
}

TEST_CASE("HunyuanConfig: the real model's feed-forward width is rounded down, and its base grid is 32") {
  const HunyuanConfig real(weft::Config(
      R"({"num_layers": 40, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408, "patch_size": 2,
          "in_channels": 4, "mlp_ratio": 4.3637, "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048,
          "pooled_projection_dim": 1024, "text_len": 77, "text_len_t5": 256,
          "use_style_cond_and_image_meta_size": false})",
      "c.json"));
  CHECK(real.ffn == 6144);
  CHECK(real.rope_base == 32);
  weft::Index parameters = 0;
  for (const auto& [name, shape] : tensors_of(real)) parameters += weft::element_count(shape);
  CHECK(parameters == 1'499'952'032);
  CHECK(tensors_of(real).size() == 1544);
}

TEST_CASE("HunyuanConfig: its tensors are exactly those of the goldens' weight files") {
  for (const char* golden : {"v12", "v11_hd88"}) {
    const weft::SafeTensors file(golden_folder(golden) / "diffusion_pytorch_model.safetensors");
    std::map<std::string, Shape> found;
    for (const auto& [name, entry] : file.entries()) found.emplace(name, entry.shape);
    CHECK(tensors_of(config_with(golden)) == found);
  }
}

TEST_CASE("HunyuanConfig: invalid settings are rejected, with the nearest that work") {
  const auto rejected = [](const char* key, const nlohmann::json& value, const char* part) {
    CHECK_THROWS_WITH_AS(config_with("v12", key, value), Contains(part), InvalidArgument);
  };
  rejected("num_layers", 7,
           "c.json: num_layers is 7 and must be even, since long skips pair the blocks; 8 would do");
  rejected("num_layers", 0, "num_layers is 0 and must be at least 1");
  rejected("num_layers", nullptr, "num_layers is missing");
  rejected("num_layers", 8.5, "num_layers is 8.5 and must be a whole number");
  rejected("hidden_size", 65, "hidden_size is 65 and must be num_attention_heads × attention_head_dim, 64");
  rejected("attention_head_dim", 18, "attention_head_dim is 18 and must be a multiple of 4");
  rejected("attention_head_dim", 18, "20 would do");
  rejected("num_attention_heads", -4, "num_attention_heads is -4 and must be at least 1");
  rejected("cross_attention_dim_t5", 20,
           "cross_attention_dim_t5 is 20 and must be a multiple of the pooler's 8 heads");
  rejected("activation_fn", "geglu", "activation_fn is geglu, and HunyuanDiT has gelu-approximate");
  rejected("rope_base_size", 0, "rope_base_size is 0 and must be at least 1");
  rejected("mlp_ratio", 0, "mlp_ratio is 0 and must lie between 0 and 1024");
  rejected("mlp_ratio", 1e300, "mlp_ratio is 1e+300 and must lie between 0 and 1024; 4.0 is usual");
  rejected("mlp_ratio", 0.001, "mlp_ratio leaves the feed-forward layer no feature");
  rejected("in_channels", 2'147'483'647, "in_channels is 2147483647 and must be at most");
  rejected("learn_sigma", 1, "learn_sigma is 1 and must be true or false");
}

TEST_CASE("HunyuanConfig: the digest depends on every setting") {
  HunyuanConfig config = config_with("v12");
  const std::uint64_t digest = config.digest();
  CHECK(config_with("v12").digest() == digest);
  for (weft::Index HunyuanConfig::*setting :
       {&HunyuanConfig::blocks, &HunyuanConfig::heads, &HunyuanConfig::head_dim, &HunyuanConfig::patch,
        &HunyuanConfig::channels, &HunyuanConfig::ffn, &HunyuanConfig::clip_width, &HunyuanConfig::t5_width,
        &HunyuanConfig::clip_length, &HunyuanConfig::t5_length, &HunyuanConfig::pooled_width,
        &HunyuanConfig::rope_base}) {
    config.*setting += 1;
    CHECK(config.digest() != digest);
    config.*setting -= 1;
  }
  for (bool HunyuanConfig::*setting : {&HunyuanConfig::learn_sigma, &HunyuanConfig::size_and_style}) {
    config.*setting = !(config.*setting);
    CHECK(config.digest() != digest);
    config.*setting = !(config.*setting);
  }
  CHECK(config.digest() == digest);
}

TEST_CASE("HunyuanPrompt: the digest depends on every member") {
  const HunyuanPrompt prompt{Tensor({7, 32}), Tensor({7}), Tensor({9, 48}), Tensor({9}), Tensor({6})};
  for (Tensor HunyuanPrompt::*states : {&HunyuanPrompt::clip, &HunyuanPrompt::clip_mask, &HunyuanPrompt::t5,
                                        &HunyuanPrompt::t5_mask, &HunyuanPrompt::size}) {
    HunyuanPrompt other = prompt;
    (other.*states).data.back() = 1;
    CHECK(weft::digest_of(other) != weft::digest_of(prompt));
  }
  HunyuanPrompt other = prompt;
  other.style = 1;
  CHECK(weft::digest_of(other) != weft::digest_of(prompt));
}

TEST_CASE("HunyuanPrompt: states with fewer numbers than their shape says are rejected") {
  HunyuanPrompt prompt{Tensor({7, 32}), Tensor({7}), Tensor({9, 48}), Tensor({9}), Tensor({6})};
  prompt.t5.data.pop_back();
  CHECK_THROWS_WITH_AS(prompt.check(config_with("v12")),
                       "a prompt's encoder_hidden_states_t5 is (9, 48) and has 431 numbers", InvalidArgument);
}

TEST_CASE("HunyuanPrompt: states of another shape are rejected by name") {
  HunyuanPrompt fitting{Tensor({7, 32}), Tensor({7}), Tensor({9, 48}), Tensor({9}), Tensor({6})};
  const HunyuanConfig v12 = config_with("v12"), v11 = config_with("v11_hd88");
  CHECK_NOTHROW(fitting.check(v12));
  CHECK_NOTHROW(fitting.check(v11));
  const auto rejected = [&](auto change, const char* sentence) {
    HunyuanPrompt prompt = fitting;
    change(prompt);
    CHECK_THROWS_WITH_AS(prompt.check(v11), sentence, InvalidArgument);
  };
  rejected(
      [](auto& p) {
        p.clip = Tensor({8, 32});
      },
      "a prompt's encoder_hidden_states is (8, 32) and the model needs (7, 32)");
  rejected([](auto& p) { p.clip_mask = Tensor(); },
           "a prompt's text_embedding_mask is () and the model needs (7)");
  rejected(
      [](auto& p) {
        p.t5 = Tensor({9, 32});
      },
      "a prompt's encoder_hidden_states_t5 is (9, 32) and the model needs (9, 48)");
  rejected(
      [](auto& p) {
        p.t5_mask = Tensor({1, 9});
      },
      "a prompt's text_embedding_mask_t5 is (1, 9) and the model needs (9)");
  rejected([](auto& p) { p.size = Tensor({4}); },
           "a prompt's image_meta_size is (4) and the model needs (6)");
  rejected([](auto& p) { p.style = 1; }, "a prompt's style is 1, and the model has the style 0 alone");
  fitting.size = Tensor(), fitting.style = 3;
  CHECK_NOTHROW(fitting.check(v12));
}
