// The model alone, without engine and policies: against the goldens, and from every form of weight file.
#include "weft/model/hunyuan_dit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../from_tokens.hpp"
#include "../io/temporary_folder.hpp"
#include "golden.hpp"
#include "weft/backend/host.hpp"
#include "weft/policy/tokens.hpp"
#include "weight_tensors.hpp"

using doctest::Contains;
using weft::Dtype;
using weft::Host;
using weft::HunyuanDiT;
using weft::HunyuanPrompt;
using weft::Index;
using weft::InvalidArgument;
using weft::Range;
using weft::Shape;
using weft::Tensor;
using weft::View;

static_assert(weft::DiT<HunyuanDiT<Host>>);

namespace {

/// A context of one rank, without a key/value cache.
struct Alone {
  Host::Queue& queue_;
  weft::Scratch<Host>& scratch_;
  Range rows_;

  Host::Queue& queue() { return queue_; }
  weft::Scratch<Host>& scratch() { return scratch_; }
  Range rows() const { return rows_; }
  weft::Step step() const { return {}; }
  void attend(const weft::HeadsOf<Host>& heads, const View<float, 4>& out) {
    heads.project(queue_);
    norm_rotate(queue_, heads.q, heads.q_norm, heads.rotation, heads.q);
    norm_rotate(queue_, heads.k, heads.k_norm, heads.rotation, heads.k);
    attention(queue_, heads.q, heads.k, heads.v, out);
  }
  void reduce(const View<float, 3>&) {}
  View<const float, 3> once(const View<const float, 3>& x) const { return x; }
};

struct Inputs {
  Tensor latents, times;
  std::vector<HunyuanPrompt> prompts;

  explicit Inputs(const std::string& golden) {
    const weft::SafeTensors file(std::string(WEFT_GOLDENS_DIR "/") + golden + "/forward_inputs.safetensors");
    latents = file.tensor("hidden_states");
    times = file.tensor("timestep");
    for (Index i = 0; i < latents.shape[0]; ++i) {
      const auto part = [&](const char* name) {
        return file.find(name) ? file.tensor(name).at(i) : Tensor();
      };
      prompts.push_back({part("encoder_hidden_states"), part("text_embedding_mask"),
                         part("encoder_hidden_states_t5"), part("text_embedding_mask_t5"),
                         part("image_meta_size")});
    }
    times.shape = {1, times.size()};
  }
};

/// Returns results by the goldens' names, images first: (images, tokens, width).
std::map<std::string, Tensor> forward(const HunyuanDiT<Host>& model, const Inputs& inputs) {
  const weft::DitShape shape = model.shape();
  const weft::ImageShape image{shape.channels, inputs.latents.shape[2], inputs.latents.shape[3], shape.patch};
  const Index n = image.tokens(), b = inputs.latents.shape[0], width = shape.width;
  const weft::Rows rows(std::vector<Range>{{0, n}});
  Host::Queue queue;
  const auto conditioning =
      model.condition(queue, inputs.prompts, inputs.times, {image, rows, {{0, shape.blocks}}, b});
  weft::Scratch<Host> scratch;
  scratch.take(std::array{n * b, 8 * width});
  scratch.allocate(queue);
  const auto alone = [&] {
    scratch.reset();
    return Alone{queue, scratch, {0, n}};
  };

  std::map<std::string, Tensor> out;
  const auto keep = [&](const std::string& name, const View<float, 3>& x) {
    Tensor& by_image = out[name] = Tensor({b, n, width});
    for (Index t = 0; t < n; ++t)
      for (Index i = 0; i < b; ++i) std::copy_n(x[t][i].data, width, by_image.view<3>()[i][t].data);
  };
  // In buffers, since at other alignments sums may be rounded differently.
  const auto memory_of = [&](Index features) { return Host::Buffer<float>(queue, n * b * features); };
  const auto view_of = [&](const Host::Buffer<float>& memory, Index features) {
    return memory.view(std::array<Index, 3>{n, b, features});
  };
  const weft::ImageShape predicted = image.with_channels(shape.out_channels);
  const auto latents = memory_of(image.features()), prediction = memory_of(predicted.features());
  upload(queue, to_tokens(inputs.latents, image, {0, b}, rows), view_of(latents, image.features()));
  std::vector<Host::Buffer<float>> outputs;
  outputs.push_back(memory_of(width));
  Alone embedding = alone();
  model.embed(embedding, conditioning, view_of(latents, image.features()), view_of(outputs.back(), width));
  keep("patch_embed", view_of(outputs.back(), width));
  for (Index i = 0; i < shape.blocks; ++i) {
    outputs.push_back(memory_of(width));
    const View<float, 3> x = view_of(outputs[static_cast<std::size_t>(i)], width),
                         y = view_of(outputs.back(), width);
    const View<float, 3> skip = shape.reads_skip(i)
                                    ? view_of(outputs[static_cast<std::size_t>(shape.blocks - i)], width)
                                    : View<float, 3>();
    Alone context = alone();
    model.block(i, context, conditioning, x, skip, y);
    keep("block." + std::to_string(i), y);
  }
  Alone last = alone();
  model.unembed(last, conditioning, view_of(outputs.back(), width),
                view_of(prediction, predicted.features()));
  out["sample"] = Tensor({b, predicted.channels, predicted.height, predicted.width});
  from_tokens(download(queue, view_of(prediction, predicted.features())), predicted, {0, b}, rows,
              out["sample"]);
  out["temb"] = conditioning.time_embedding(queue, 0);
  return out;
}

/// A tensor as a file holds it.
struct Stored {
  std::string dtype;
  Shape shape;
  std::vector<std::byte> bytes;
};
using StoredTensors = std::map<std::string, Stored>;

std::string to_file(const StoredTensors& tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (const auto& [name, stored] : tensors) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(stored.bytes.data()), stored.bytes.size());
    header[name] = {{"dtype", stored.dtype}, {"shape", stored.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

/// Returns the golden's fp16 weights, cut to the 8 bits of bf16 so that every type can hold them, in one
/// type.
StoredTensors weights_as(Dtype type, const std::string& golden = "v12") {
  const weft::SafeTensors file(golden_folder(golden) / "diffusion_pytorch_model.safetensors");
  StoredTensors out;
  for (const auto& [name, entry] : file.entries()) {
    Stored stored{std::string(name_of(type)), entry.shape, {}};
    for (std::size_t at = 0; at < entry.bytes.size(); at += 2) {
      std::uint16_t half;
      std::memcpy(&half, &entry.bytes[at], sizeof half);
      half &= 0xfff8;
      const auto word = std::bit_cast<std::uint32_t>(weft::f16_to_float(half));
      const std::uint32_t bits = type == Dtype::f16 ? half : type == Dtype::bf16 ? word >> 16 : word;
      const auto* bytes = reinterpret_cast<const std::byte*>(&bits);
      stored.bytes.insert(stored.bytes.end(), bytes, bytes + size_of(type));
    }
    out.emplace(name, std::move(stored));
  }
  return out;
}

/// A model folder.
struct Folder : TemporaryFolder {
  Folder() { std::filesystem::copy(golden_folder("v12") / "config.json", path() / "config.json"); }
  explicit Folder(const StoredTensors& tensors) : Folder() {
    write("diffusion_pytorch_model.safetensors", to_file(tensors));
  }
  std::map<std::string, Tensor> forward() const { return ::forward(HunyuanDiT<Host>(path()), Inputs("v12")); }
};

bool same_bits(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.data == y.second.data;
  });
}

}  // namespace

TEST_CASE("HunyuanDiT: every block of the goldens, v1.2 and v1.1") {
  for (const char* golden : {"v12", "v11_hd88"}) {
    const auto found = forward(HunyuanDiT<Host>(golden_folder(golden)), Inputs(golden));
    const weft::SafeTensors expected(std::string(WEFT_GOLDENS_DIR "/") + golden +
                                     "/forward_expected.safetensors");
    for (const auto& [name, tensor] : found) {
      CAPTURE(name);
      const Tensor wanted = expected.tensor(name, tensor.shape);
      double worst = 0;
      for (std::size_t i = 0; i < wanted.data.size(); ++i)
        worst = std::max<double>(worst,
                                 std::abs(tensor.data[i] - wanted.data[i]) / (1 + std::abs(wanted.data[i])));
      CHECK(worst < 1e-4);
    }
  }
}

TEST_CASE("HunyuanDiT: fp16, bf16 and fp32 weights of the same numbers make the same model") {
  const auto half = Folder(weights_as(Dtype::f16)).forward();
  CHECK(half.size() == 11);
  CHECK(same_bits(half, Folder(weights_as(Dtype::bf16)).forward()));
  CHECK(same_bits(half, Folder(weights_as(Dtype::f32)).forward()));
}

namespace {

/// A weight source that counts how often each tensor is read.
struct CountingFiles : weft::WeightFiles {
  using weft::WeightFiles::WeightFiles;

  const weft::SafeTensors::Entry& get(const std::string& name, const Shape& shape) const {
    ++counts[name];
    return weft::WeightFiles::get(name, shape);
  }

  mutable std::map<std::string, int> counts;
};

}  // namespace

TEST_CASE("HunyuanDiT: weights that other models have are copied from them, so that each is read once") {
  const CountingFiles files(golden_folder("v12"));
  const weft::HunyuanConfig config(weft::Config::read(golden_folder("v12") / "config.json"));
  const Index blocks = config.blocks;
  const HunyuanDiT<Host> front(config, files, {{0, 1}});
  auto back = std::make_unique<HunyuanDiT<Host>>(config, files, std::vector<Range>{{1, blocks}},
                                                 HunyuanDiT<Host>::Others{&front});
  CHECK(front.has_block(0));
  CHECK(!front.has_block(1));
  CHECK(!back->has_block(0));
  CHECK(back->has_block(blocks - 1));
  const HunyuanDiT<Host> whole(config, files, {}, {&front, back.get()});
  for (Index i = 0; i < blocks; ++i) CHECK(whole.has_block(i));
  CHECK(files.counts.size() == tensors_of(config).size());
  for (const auto& [name, count] : files.counts) {
    CAPTURE(name);
    CHECK(count == 1);
  }
  back.reset();  // copies do not depend on their source
  CHECK(same_bits(forward(whole, Inputs("v12")),
                  forward(HunyuanDiT<Host>(golden_folder("v12")), Inputs("v12"))));
}

TEST_CASE("HunyuanDiT: shards with an index make the same model as one file") {
  const StoredTensors all = weights_as(Dtype::bf16);
  StoredTensors shards[2];
  nlohmann::json places;
  for (const auto& [name, stored] : all) {
    const bool second = places.size() > all.size() / 3;
    shards[second].emplace(name, stored);
    places[name] = second ? "2.safetensors" : "1.safetensors";
  }
  const Folder folder;
  folder.write("1.safetensors", to_file(shards[0]));
  folder.write("2.safetensors", to_file(shards[1]));
  folder.write("diffusion_pytorch_model.safetensors.index.json",
               nlohmann::json{{"weight_map", places}}.dump());
  CHECK(same_bits(folder.forward(), Folder(all).forward()));
}

TEST_CASE("HunyuanDiT: missing, surplus and misshapen weights are rejected, all at once and by name") {
  StoredTensors weights = weights_as(Dtype::f16);
  weights.erase("blocks.3.norm2.bias");
  weights["blocks.3.norm2.beta"] = {"F16", {1}, std::vector<std::byte>(2)};
  weights["proj_out.bias"].shape = {8, 4};
  CHECK_THROWS_WITH_AS(
      Folder(weights).forward(),
      Contains("1 tensor is missing: blocks.3.norm2.bias; 1 is surplus: blocks.3.norm2.beta; 1 is "
               "misshapen: proj_out.bias is (8, 4) and should be (32)"),
      InvalidArgument);
}

TEST_CASE("HunyuanDiT: a folder without settings or weights is rejected") {
  CHECK_THROWS_WITH_AS(HunyuanDiT<Host>(TemporaryFolder().path()), Contains("config.json: No such file"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(HunyuanDiT<Host>(Folder().path()),
                       Contains("has neither diffusion_pytorch_model.safetensors"), InvalidArgument);
}

namespace {

/// Weights, and the memory that they are in.
struct ReadWeights {
  weft::WeightMemory<Host> memory{};
  weft::hunyuan::Weights<Host> weights{};
};

template <class Source>
ReadWeights read(const weft::HunyuanConfig& config, const Source& source, const std::vector<Range>& blocks) {
  ReadWeights out;
  Host::Queue queue;
  out.weights =
      weft::WeightLoader<Host, Source>(queue, source, blocks, {})
          .load([&config](auto& loader) { return weft::hunyuan::Weights<Host>::place(loader, config); },
                out.memory);
  return out;
}

}  // namespace

TEST_CASE("HunyuanDiT: loads only the blocks that are asked for") {
  const weft::HunyuanConfig config = config_with("v12");
  const weft::WeightFiles files(golden_folder("v12"));
  const auto own = read(config, files, {{1, 3}, {5, 7}}).weights;
  for (Index i = 0; i < 8; ++i)
    CHECK((own.blocks[static_cast<std::size_t>(i)].up.outputs() > 0) ==
          (i == 1 || i == 2 || i == 5 || i == 6));
}

TEST_CASE("HunyuanDiT: random weights depend on the seed alone") {
  const weft::HunyuanConfig config = config_with("v12");
  const weft::RandomWeights source{.seed = 7};
  Host::Queue queue;
  const auto all = read(config, source, {{0, 8}}), part = read(config, source, {{6, 7}});
  const auto &whole = all.weights.blocks[6], &own = part.weights.blocks[6];
  CHECK(download(queue, own.up.weight).data == download(queue, whole.up.weight).data);
  CHECK(download(queue, own.up.bias).data != download(queue, all.weights.blocks[5].up.bias).data);
  CHECK(whole.norm1.scale[3] == 1);

  const Tensor weight = download(queue, whole.down.weight);
  double squares = 0;
  for (const float number : weight.data) squares += number * number;
  CHECK(squares / static_cast<double>(whole.down.outputs()) == doctest::Approx(1).epsilon(0.05));

  const auto found = forward(HunyuanDiT<Host>(config, source), Inputs("v12")).at("sample");
  for (const float number : found.data) CHECK(std::abs(number) < 100);
}
