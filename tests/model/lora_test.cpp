// Adapters of low rank, merged into weights where they are read.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "../io/temporary_folder.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/model/lora_weights.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::Lora;
using weft::LoraWeights;
using weft::Shape;
using weft::Tensor;

namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor counted(const Shape& shape, float first, float step) {
  Tensor out(shape);
  for (float& value : out.data) value = first += step;
  return out;
}

const Tensors weights{{"blocks.0.attn1.to_q.weight", counted({3, 4}, 0, 0.5f)},
                      {"blocks.0.attn1.to_q.bias", counted({3}, 1, 1)},
                      {"pos_embed.proj.weight", counted({2, 1, 2, 2}, 5, 0.25f)},
                      {"norm.weight", counted({4}, 2, 1)},
                      {"single_transformer_blocks.1.attn.to_q.weight", counted({1, 4}, 1, 1)},
                      {"single_transformer_blocks.1.attn.to_k.weight", counted({1, 4}, 2, 1)},
                      {"single_transformer_blocks.1.attn.to_v.weight", counted({1, 4}, 3, 1)},
                      {"single_transformer_blocks.1.proj_mlp.weight", counted({2, 4}, 4, 1)}};

/// A model's folder of those weights and files of adapters beside it.
struct Files {
  Files() { folder.write("diffusion_pytorch_model.safetensors", bytes_of(weights)); }

  static std::vector<std::byte> bytes_of(const Tensors& tensors) {
    return weft::to_safetensors({tensors.begin(), tensors.end()});
  }

  Lora lora(const Tensors& tensors, float scale = 1, const char* name = "lora.safetensors") const {
    return {folder.write(name, bytes_of(tensors)), scale};
  }

  /// Returns a weight as a loader reads it, a row at a time.
  Tensor merged(const std::vector<Lora>& loras, const std::string& name) const {
    const LoraWeights source(folder.path(), loras);
    const Shape shape = weights.at(name).shape;
    Tensor out(shape);
    const Index width = out.size() / shape.front();
    const weft::MergedNumbers numbers = source.get(name, shape);
    for (Index row = 0; row < shape.front(); ++row)
      numbers.copy(row * width, width, out.data.data() + row * width);
    return out;
  }

  void rejects(const Tensors& tensors, const char* text) const {
    CHECK_THROWS_WITH_AS(LoraWeights(folder.path(), std::vector<Lora>{lora(tensors)}), Contains(text),
                         InvalidArgument);
  }

  TemporaryFolder folder;
};

const Tensor up = counted({3, 2}, -1, 0.5f), down = counted({2, 4}, 2, -0.75f);

/// Returns weight + scale · up · down, by its definition.
Tensor by_hand(const std::string& name, const Tensor& tall, const Tensor& wide, double scale) {
  Tensor out = weights.at(name);
  const Index rows = tall.shape[0], rank = tall.shape[1], columns = out.size() / rows;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) {
      double sum = 0;
      for (Index k = 0; k < rank; ++k)
        sum += static_cast<double>(tall.data[static_cast<std::size_t>(i * rank + k)]) *
               static_cast<double>(wide.data[static_cast<std::size_t>(k * columns + j)]);
      out.data[static_cast<std::size_t>(i * columns + j)] += static_cast<float>(scale * sum);
    }
  return out;
}

void near(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape == b.shape);
  for (std::size_t i = 0; i < a.data.size(); ++i) CHECK(a.data[i] == doctest::Approx(b.data[i]));
}

const std::string to_q = "blocks.0.attn1.to_q.weight";

}  // namespace

TEST_CASE("LoRA: the names of diffusers and of kohya, with and without alpha") {
  const Files files;
  const Tensor alpha({1}, {3});
  const std::string layer = "transformer.blocks.0.attn1.to_q", kohya = "lora_unet_blocks_0_attn1_to_q";
  const Tensors spellings[] = {
      {{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}},
      {{layer + ".lora.down.weight", down}, {layer + ".lora.up.weight", up}, {layer + ".alpha", alpha}},
      {{"base_model.model.blocks.0.attn1.to_q.lora_A.weight", down},
       {"base_model.model.blocks.0.attn1.to_q.lora_B.weight", up}},
      {{kohya + ".lora_down.weight", down}, {kohya + ".lora_up.weight", up}, {kohya + ".alpha", alpha}},
      {{"lora_transformer_blocks_0_attn1_to_q.lora_down.weight", down},
       {"lora_transformer_blocks_0_attn1_to_q.lora_up.weight", up}}};
  for (const Tensors& tensors : spellings) {
    CAPTURE(tensors.begin()->first);
    const double own = tensors.size() == 3 ? 3.0 / 2 : 1;
    near(files.merged({files.lora(tensors)}, to_q), by_hand(to_q, up, down, own));
    near(files.merged({files.lora(tensors, -0.5f)}, to_q), by_hand(to_q, up, down, -0.5 * own));
    CHECK(files.merged({files.lora(tensors)}, "norm.weight").data == weights.at("norm.weight").data);
    CHECK(files.merged({files.lora(tensors)}, "blocks.0.attn1.to_q.bias").data ==
          weights.at("blocks.0.attn1.to_q.bias").data);
  }
}

TEST_CASE("LoRA: several files add up, and convolutions are matrices") {
  const Files files;
  const std::string layer = "transformer.blocks.0.attn1.to_q", proj = "transformer.pos_embed.proj";
  const Lora first =
                 files.lora({{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}}, 0.25f, "a"),
             second =
                 files.lora({{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}}, 0.5f, "b");
  near(files.merged({first, second}, to_q), by_hand(to_q, up, down, 0.75));
  const Tensor wide = counted({1, 1, 2, 2}, 3, 1), tall = counted({2, 1, 1, 1}, 1, 2);
  near(files.merged({files.lora({{proj + ".lora_A.weight", wide}, {proj + ".lora_B.weight", tall}})},
                    "pos_embed.proj.weight"),
       by_hand("pos_embed.proj.weight", Tensor({2, 1}, tall.data), wide, 1));
}

TEST_CASE("LoRA: alpha in the metadata, as diffusers saves it") {
  const Files files;
  const std::string layer = "transformer.blocks.0.attn1.to_q";
  const Tensors tensors{{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}};
  const auto with = [&](const std::string& settings) {
    return Lora{files.folder.write("lora.safetensors",
                                   weft::to_safetensors(tensors, {{"lora_adapter_metadata", settings}}))};
  };
  const Lora plain =
      with(R"({"transformer.r": 2, "transformer.lora_alpha": 8, "transformer.alpha_pattern": {}})");
  near(files.merged({plain}, to_q), by_hand(to_q, up, down, 4));
  CHECK_THROWS_WITH_AS(
      LoraWeights(files.folder.path(), std::vector{with(R"({"transformer.use_dora": true})")}),
      Contains("transformer.use_dora is true"), InvalidArgument);
  CHECK_THROWS_WITH_AS(
      LoraWeights(files.folder.path(), std::vector{with(R"({"transformer.alpha_pattern": {"to_q": 3}})")}),
      Contains("transformer.alpha_pattern gives layers an alpha of their own"), InvalidArgument);
}

TEST_CASE("LoRA: layers that the model's authors fused are cut into diffusers'") {
  const Files files;
  const Tensor tall = counted({5, 2}, -2, 0.5f);
  const Lora lora = files.lora({{"lora_unet_single_blocks_1_linear1.lora_down.weight", down},
                                {"lora_unet_single_blocks_1_linear1.lora_up.weight", tall}});
  Index row = 0;
  for (const char* layer : {"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"}) {
    const std::string name = std::string("single_transformer_blocks.1.") + layer + ".weight";
    const Index rows = weights.at(name).shape.front();
    const Tensor part({rows, 2}, {tall.data.begin() + 2 * row, tall.data.begin() + 2 * (row + rows)});
    near(files.merged({lora}, name), by_hand(name, part, down, 1));
    row += rows;
  }
  files.rejects({{"lora_unet_single_blocks_1_linear1.lora_down.weight", down},
                 {"lora_unet_single_blocks_1_linear1.lora_up.weight", up}},
                "is of a matrix (3, 4), and single_transformer_blocks.1.attn.to_q.weight");
  files.rejects({{"lora_unet_single_blocks_1x_linear1.lora_down.weight", down},
                 {"lora_unet_single_blocks_1x_linear1.lora_up.weight", tall}},
                "fits no layer of");
}

TEST_CASE("LoRA: adapters change the digest, and none leaves that of the files") {
  const Files files;
  const std::string layer = "transformer.blocks.0.attn1.to_q";
  const Tensors tensors{{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}};
  const auto digest = [&files](const std::vector<Lora>& loras) {
    return LoraWeights(files.folder.path(), loras).digest();
  };
  CHECK(digest({}) == weft::WeightFiles(files.folder.path()).digest());
  CHECK(digest({files.lora(tensors)}) != digest({}));
  CHECK(digest({files.lora(tensors)}) == digest({files.lora(tensors)}));
  CHECK(digest({files.lora(tensors)}) != digest({files.lora(tensors, 0.5f)}));
}

TEST_CASE("LoRA: what fits nothing is named") {
  const Files files;
  const std::string layer = "transformer.blocks.0.attn1.to_q";
  files.rejects(
      {{"transformer.blocks.9.to_q.lora_A.weight", down}, {"transformer.blocks.9.to_q.lora_B.weight", up}},
      "the adapter of transformer.blocks.9.to_q fits no layer of");
  files.rejects({{"lora_te1_layers_0.lora_down.weight", down}, {"lora_te1_layers_0.lora_up.weight", up}},
                "the adapter of lora_te1_layers_0 changes a text encoder");
  files.rejects({{layer + ".lora_A.weight", down}}, "there is lora_A, and no lora_B");
  files.rejects({{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", counted({3, 1}, 0, 1)}},
                "has ranks 2 and 1, which must be equal");
  files.rejects({{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", counted({5, 2}, 0, 1)}},
                "is of a matrix (5, 4), and blocks.0.attn1.to_q.weight is (3, 4)");
  files.rejects({{layer + ".dora_scale", up}}, "dora_scale is no part of an adapter");
  files.rejects({{layer + ".alpha", Tensor({1}, {1})}}, "alpha belongs to no adapter");
  files.rejects({{layer + ".lora_A.weight", counted({4}, 0, 1)}, {layer + ".lora_B.weight", up}},
                "must be a matrix");
  files.rejects({}, "has no adapters");
  const Lora endless =
      files.lora({{layer + ".lora_A.weight", down}, {layer + ".lora_B.weight", up}}, INFINITY);
  CHECK_THROWS_WITH_AS(LoraWeights(files.folder.path(), std::vector<Lora>{endless}),
                       Contains("lora.safetensors is inf and must be a finite number; 1 is usual"),
                       InvalidArgument);
}
