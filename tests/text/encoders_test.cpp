// The encoders on the host: what transformers computes, and folders that are rejected.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../io/temporary_folder.hpp"
#include "encoder_goldens.hpp"
#include "weft/backend/host.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/text/encoders/distances.hpp"

namespace {

using weft::text::EncoderFolder;
using weft::text::TokenIds;

const std::filesystem::path hunyuan = std::filesystem::path(WEFT_GOLDENS_DIR) / "hunyuan_pipeline",
                            clip = std::filesystem::path(WEFT_GOLDENS_DIR) / "clip_text" / "model";
const std::filesystem::path bert = hunyuan / "model" / "text_encoder",
                            t5 = hunyuan / "model" / "text_encoder_2", clip_l = clip / "text_encoder",
                            clip_g = clip / "text_encoder_2";

nlohmann::json settings_of(const std::filesystem::path& folder) {
  return nlohmann::json::parse(std::ifstream(folder / "config.json"));
}

void rejects(const std::filesystem::path& folder, const nlohmann::json& more, const std::string& why) {
  nlohmann::json settings = settings_of(folder);
  settings.merge_patch(more);
  CHECK_THROWS_WITH_AS(weft::text::EncoderConfig(weft::Config(settings.dump(), "c.json")), why.c_str(),
                       weft::InvalidArgument);
}

/// A copy of a golden's folder, with other settings and other tensors.
struct EncoderCopy {
  nlohmann::json settings;
  weft::SafeTensors::Entries tensors;
  TemporaryFolder folder;

  explicit EncoderCopy(const std::filesystem::path& golden)
      : settings(settings_of(golden)), files_(golden, "model") {
    for (const std::string& name : files_.names()) tensors.emplace(name, *files_.find(name));
  }

  void rename(const std::function<std::string(const std::string&)>& renamed) {
    weft::SafeTensors::Entries out;
    for (const auto& [name, entry] : tensors) out.emplace(renamed(name), entry);
    tensors = std::move(out);
  }
  /// Adds a tensor of two numbers.
  void add(const std::string& name) {
    static constexpr std::int64_t numbers[2] = {0, 1};
    tensors[name] = {{weft::Dtype::i64, std::as_bytes(std::span(numbers))}, {2}};
  }

  std::filesystem::path write() const {
    folder.write("config.json", settings.dump());
    folder.write("model.safetensors", weft::entries_to_safetensors(tensors));
    return folder.path();
  }
  void rejects(const std::string& why) const {
    const std::string wanted = write().string() + why;
    CHECK_THROWS_WITH_AS(EncoderFolder(folder.path()), wanted.c_str(), weft::InvalidArgument);
  }
  /// Checks that it encodes as the golden does.
  void agrees_with(const std::filesystem::path& golden, const TokenIds& tokens) const {
    const auto encoded = [&tokens](const std::filesystem::path& from) {
      weft::host::Queue queue;
      return weft::text::TextEncoder<weft::Host>(from).encode(queue, tokens);
    };
    const auto is = encoded(write()), wanted = encoded(golden);
    CHECK(is.states.data == wanted.states.data);
    CHECK(is.pooled.data == wanted.pooled.data);
  }

 private:
  weft::WeightFiles files_;
};

const TokenIds few{.ids = {49406, 320, 4558, 49407, 0}, .mask = {1, 1, 1, 1, 0}};
const TokenIds fewer{.ids = {101, 320, 4558, 102, 0}, .mask = {1, 1, 1, 1, 0}};

}  // namespace

TEST_CASE("TextEncoder: the states of transformers' BERT, T5 and both of CLIP, and CLIP's pooled outputs") {
  weft::host::Queue queue(2);
  check_encoders<weft::Host>(queue, 1e-5);
}

TEST_CASE("distance_bias: T5's buckets and biases of transformers") {
  const weft::SafeTensors expected(hunyuan / "encoders_expected.safetensors");
  const weft::Tensor buckets = expected.tensor("t5.relative_bucket");
  for (weft::Index i = 0; i < buckets.size(); ++i) {
    CAPTURE(i);
    CHECK(static_cast<float>(weft::text::distance_bucket(i - 255, 32, 128)) ==
          buckets.data[static_cast<std::size_t>(i)]);
  }
  CHECK(weft::text::distance_bias(EncoderFolder(t5).distances(), 128, 256).data ==
        expected.tensor("t5.relative_bias").data);
}

TEST_CASE("EncoderFolder: names with and without a prefix, and tensors that are left unread") {
  {
    EncoderCopy copy(bert);
    copy.rename([](const std::string& name) { return "bert." + name; });
    copy.add("bert.embeddings.position_ids");
    copy.add("cls.predictions.bias");
    copy.agrees_with(bert, fewer);
  }
  {
    EncoderCopy copy(bert);
    std::erase_if(copy.tensors, [](const auto& tensor) { return tensor.first.starts_with("pooler."); });
    copy.add("embeddings.position_ids");
    copy.agrees_with(bert, fewer);
  }
  {
    EncoderCopy copy(t5);
    copy.rename([](const std::string& name) {
      return name == "shared.weight" ? "encoder.embed_tokens.weight" : name;
    });
    copy.add("decoder.final_layer_norm.weight");
    copy.add("lm_head.weight");
    copy.agrees_with(t5, fewer);
  }
  {
    EncoderCopy copy(clip_l);
    copy.rename([](const std::string& name) { return name.substr(std::string("text_model.").size()); });
    copy.add("embeddings.position_ids");
    copy.add("text_projection.weight");
    copy.agrees_with(clip_l, few);
  }
}

TEST_CASE("TextEncoder: settings by other keys, and the pooled token by eos_token_id") {
  EncoderCopy named(t5);
  named.settings.erase("model_type");
  named.settings["feed_forward_proj"] = "relu";  // which the two keys beside it replace
  named.agrees_with(t5, fewer);
  for (const auto& folder : {clip_l, clip_g}) {
    EncoderCopy copy(folder);
    copy.settings["eos_token_id"] = 49407;
    copy.agrees_with(folder, few);
  }
  EncoderCopy other(clip_g);
  other.settings["eos_token_id"] = 320;
  weft::host::Queue queue;
  const weft::text::TextEncoder<weft::Host> encoder(other.write());
  const auto whole = encoder.encode(queue, few),
             cut = encoder.encode(queue, {.ids = {49406, 320}, .mask = {1, 1}});
  check_row(whole.pooled, weft::Tensor({1, cut.pooled.size()}, cut.pooled.data), 0, 1e-6);  // no later token
  CHECK_THROWS_WITH_AS(static_cast<void>(encoder.encode(queue, {.ids = {49406, 321}, .mask = {1, 1}})),
                       (other.folder.path().string() +
                        ": eos_token_id is 320, at which the states are pooled, and no token has it")
                           .c_str(),
                       weft::InvalidArgument);
}

TEST_CASE("EncoderConfig: other models, and settings that the encoders do not have") {
  rejects(bert, {{"model_type", "umt5"}},
          "c.json: model_type is umt5; there are bert, t5, mt5 and clip_text_model");
  rejects(bert, {{"model_type", nullptr}, {"architectures", {"RobertaModel"}}},
          "c.json: architectures is RobertaModel; there are bert, t5, mt5 and clip_text_model");
  rejects(bert, {{"model_type", nullptr}, {"architectures", nullptr}},
          "c.json names no model_type; there are bert, t5, mt5 and clip_text_model");
  rejects(bert, {{"position_embedding_type", "relative_key"}},
          "c.json: position_embedding_type is relative_key, and this model has absolute alone");
  rejects(bert, {{"is_decoder", true}}, "c.json: is_decoder is true, and this model has false alone");
  rejects(bert, {{"num_attention_heads", 3}},
          "c.json: hidden_size is 32 and must be a multiple of the 3 num_attention_heads");
  rejects(bert, {{"layer_norm_eps", -1}}, "c.json: the norms' epsilon is -1 and must be at least 0");
  rejects(bert, {{"num_hidden_layers", 2000}}, "c.json has 2000 layers; up to 1024 are possible");
  rejects(clip_l, {{"hidden_act", "mish"}},
          "c.json: hidden_act is mish; there are gelu, gelu_new, gelu_pytorch_tanh, quick_gelu and silu");
  rejects(
      t5, {{"dense_act_fn", nullptr}, {"feed_forward_proj", "gated-relu"}},
      "c.json: feed_forward_proj is relu; there are gelu, gelu_new, gelu_pytorch_tanh, quick_gelu and silu");
  rejects(t5, {{"relative_attention_num_buckets", 30}},
          "c.json: relative_attention_num_buckets is 30 and must be a multiple of 4");
  rejects(t5, {{"relative_attention_max_distance", 8}},
          "c.json: relative_attention_max_distance is 8 and must be more than 8, a quarter of the buckets");
}

TEST_CASE("EncoderFolder: tensors that are missing, surplus or misshapen") {
  EncoderCopy missing(t5);
  missing.tensors.erase("encoder.block.1.layer.1.DenseReluDense.wi_1.weight");
  missing.rejects(": 1 tensor is missing: encoder.block.1.layer.1.DenseReluDense.wi_1.weight");
  EncoderCopy surplus(clip_g);
  surplus.add("text_model.encoder.layers.4.layer_norm1.bias");
  surplus.rejects(": 1 tensor is surplus: text_model.encoder.layers.4.layer_norm1.bias");
  EncoderCopy misshapen(bert);
  misshapen.settings["vocab_size"] = 21129;
  misshapen.rejects(
      ": 1 tensor is misshapen: embeddings.word_embeddings.weight is (21128, 32) and should be (21129, 32)");
}

TEST_CASE("TextEncoder: tokens of another vocabulary, too many, or behind padding") {
  const EncoderFolder encoder(bert);
  const auto rejects_tokens = [&encoder](const TokenIds& tokens, const std::string& why) {
    CHECK_THROWS_WITH_AS(encoder.check(tokens), (bert.string() + " was given " + why).c_str(),
                         weft::InvalidArgument);
  };
  rejects_tokens({.ids = {101, 21128}, .mask = {1, 1}},
                 "the token 21128, and its vocabulary ends at 21127; the folder's tokenizer may be another "
                 "model's");
  rejects_tokens({.ids = std::vector<weft::text::Id>(513), .mask = std::vector<weft::text::Id>(513, 1)},
                 "513 tokens, and reads 1 to 512");
  rejects_tokens({}, "0 tokens, and reads 1 to 512");
  for (const std::vector<weft::text::Id>& mask :
       {std::vector<weft::text::Id>{1, 0, 1}, {0, 0, 0}, {1, 1}, {1, 2, 0}})
    rejects_tokens({.ids = {101, 5, 102}, .mask = mask},
                   "a mask that is not 1 for some of the 3 tokens and then 0 for padding");
}
