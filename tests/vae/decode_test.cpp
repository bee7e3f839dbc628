// Decoding, against diffusers and against float64, on any number of ranks.
#include "weft/vae/image_decoder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "reference.hpp"
#include "toy_autoencoder.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"
#include "weft/io/safetensors.hpp"

namespace {

using Model = weft::AutoencoderKL<weft::Host>;
using weft::Index;
using weft::Tensor;

const std::filesystem::path golden = std::filesystem::path(WEFT_GOLDENS_DIR) / "vae";

Tensor decoded(const Model& model, const Tensor& latents, int ranks) {
  Tensor out;
  weft::launch(ranks, [&](weft::threads::World& world) {
    Tensor own = weft::ImageDecoder(model, world).decode(latents);
    CHECK(own.empty() == (world.rank() > 0));
    if (world.rank() == 0) out = std::move(own);
  });
  return out;
}

/// Returns the largest difference, or infinity where the shapes differ.
double difference(const Tensor& a, const Tensor& b) {
  if (a.shape != b.shape) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data[i]) - static_cast<double>(b.data[i])));
  return most;
}

/// Decodes by the reference.
Tensor expected(const ToyAutoencoder& toy, const Tensor& latents) {
  const weft::AutoencoderConfig config = toy.config();
  const reference::Decoder decoder(config, toy.tensors);
  Tensor out({latents.shape[0], config.out_channels, latents.shape[2] * config.scale(),
              latents.shape[3] * config.scale()});
  auto next = out.data.begin();
  for (Index i = 0; i < latents.shape[0]; ++i)
    for (const double number : decoder.decode(latents.at(i)).numbers) *next++ = static_cast<float>(number);
  return out;
}

/// A toy's model in memory and the latents that it is to decode.
struct Toy {
  explicit Toy(const ToyAutoencoder& toy, const weft::Shape& latents_shape = {2, 4, 5, 3})
      : model(toy.write(folder)) {
    std::mt19937 generator(8);
    latents = random_tensor(generator, latents_shape, 1);
    wanted = expected(toy, latents);
  }

  TemporaryFolder folder;
  Model model;
  Tensor latents, wanted;
};

const nlohmann::json small{{"block_out_channels", {8, 12}}, {"norm_num_groups", 4}, {"layers_per_block", 1}};

nlohmann::json with(nlohmann::json settings, const nlohmann::json& more) {
  settings.update(more);
  return settings;
}

}  // namespace

TEST_CASE("decode: what diffusers decodes, on one rank to more ranks than rows") {
  const Model model(golden / "model" / "vae");
  const weft::SafeTensors inputs(golden / "inputs.safetensors"), images(golden / "expected.safetensors");
  for (const char* size : {"6x4", "9x7", "12x10"})
    for (const int ranks : {1, 2, 3, 4, 5, 6, 7, 8, 13}) {
      CAPTURE(size);
      CAPTURE(ranks);
      const Tensor image = decoded(model, inputs.tensor(std::string("latents.") + size), ranks);
      CHECK(difference(image, images.tensor(std::string("image.") + size)) < 2e-5);
    }
}

TEST_CASE("decode: the reference decodes as diffusers does") {
  const weft::SafeTensors weights(golden / "model" / "vae" / "diffusion_pytorch_model.safetensors");
  Tensors tensors;
  for (const auto& [name, entry] : weights.entries()) tensors[name] = entry.tensor();
  const weft::AutoencoderConfig config(weft::Config::read(golden / "model" / "vae" / "config.json"));
  const reference::Image image =
      reference::Decoder(config, tensors)
          .decode(weft::SafeTensors(golden / "inputs.safetensors").tensor("latents.6x4").at(0));
  const Tensor wanted = weft::SafeTensors(golden / "expected.safetensors").tensor("image.6x4");
  for (std::size_t i = 0; i < wanted.data.size(); ++i)
    CHECK(std::abs(image.numbers[i] - static_cast<double>(wanted.data[i])) < 2e-5);
}

TEST_CASE("decode: other settings, against float64") {
  const auto check = [](const nlohmann::json& settings, const weft::Shape& latents) {
    CAPTURE(settings.dump());
    const Toy toy(ToyAutoencoder(settings), latents);
    for (const int ranks : {1, 2, 3, 7}) {
      CAPTURE(ranks);
      CHECK(difference(decoded(toy.model, toy.latents, ranks), toy.wanted) < 2e-5);
    }
  };
  check(small, {2, 4, 5, 3});
  check(small, {1, 4, 1, 1});
  check(small, {1, 4, 2, 9});
  check(with(small, {{"latent_channels", 16},  // SD3's and FLUX's
                     {"use_post_quant_conv", false},
                     {"use_quant_conv", false},
                     {"scaling_factor", 0.3611},
                     {"shift_factor", 0.1159}}),
        {1, 16, 7, 4});
  check(
      with(small, {{"block_out_channels", {10, 5, 15, 25}}, {"norm_num_groups", 5}, {"layers_per_block", 2}}),
      {1, 4, 3, 5});
  check(with(small, {{"block_out_channels", {6}}, {"norm_num_groups", 1}, {"out_channels", 4}}),
        {1, 4, 6, 5});
  check(with(small, {{"mid_block_add_attention", false}}), {1, 4, 4, 4});
  check(with(small, {{"layers_per_block", 3}, {"norm_num_groups", 2}, {"scaling_factor", 1}}), {1, 4, 5, 4});
}

TEST_CASE("decode: old files name attention's layers otherwise, as convolutions of 1 × 1") {
  const ToyAutoencoder now(small);
  ToyAutoencoder old = now;
  const std::string name = "decoder.mid_block.attentions.0.";
  for (const auto& [from, to] : {std::pair{"to_q", "query"}, std::pair{"to_k", "key"},
                                 std::pair{"to_v", "value"}, std::pair{"to_out.0", "proj_attn"}}) {
    old.rename(name + from, name + to);
    weft::Shape& shape = old.tensors.at(name + to + ".weight").shape;
    shape.insert(shape.end(), {1, 1});
  }
  const Toy toy(now), toy_of_old(old);
  CHECK(difference(toy_of_old.wanted, toy.wanted) == 0);
  CHECK(difference(decoded(toy_of_old.model, toy.latents, 2), toy.wanted) < 2e-5);
}

TEST_CASE("decode: the same ranks give the same bits, and an image does not depend on others of its batch") {
  const Toy toy{ToyAutoencoder(small)};
  const Tensor first = decoded(toy.model, toy.latents, 3);
  CHECK(decoded(toy.model, toy.latents, 3).data == first.data);
  Tensor second_latents({1, 4, 5, 3}, toy.latents.at(1).data);
  CHECK(decoded(toy.model, second_latents, 3).data == first.at(1).data);
}

TEST_CASE("decode_band: what decode makes of whole latents, bit for bit, also on ranks without rows") {
  const Toy toy{ToyAutoencoder(small)};
  for (const int ranks : {1, 3, 7}) {
    CAPTURE(ranks);
    const Tensor wanted = decoded(toy.model, toy.latents, ranks);
    weft::launch(ranks, [&toy, &wanted](weft::threads::World& world) {
      const Index height = toy.latents.shape[2];
      const weft::Range rows = weft::split(height, world.size(), world.rank());
      Tensor band({2, 4, rows.size(), 3});
      auto next = band.data.begin();
      for (Index plane = 0; plane < 8; ++plane)
        next =
            std::copy_n(toy.latents.data.begin() + (plane * height + rows.begin) * 3, rows.size() * 3, next);
      const Tensor own = weft::ImageDecoder(toy.model, world).decode_band(band, height);
      CHECK(own.empty() == (world.rank() > 0));
      if (world.rank() == 0) CHECK(own.data == wanted.data);
    });
  }
}

TEST_CASE("decode_band: a band of other rows, and ranks that differ, are rejected") {
  const Toy toy{ToyAutoencoder(small)};
  const auto rejects = [&toy](weft::Shape shape, Index height, const char* why) {
    const auto decode = [&](weft::threads::World& world) {
      weft::Shape own{1, 4, weft::split(height, world.size(), world.rank()).size(), 3};
      if (world.rank() == 1) own = shape;
      static_cast<void>(weft::ImageDecoder(toy.model, world).decode_band(Tensor(own), height));
    };
    CHECK_THROWS_WITH_AS(weft::launch(2, decode), why, weft::InvalidArgument);
  };
  rejects({1, 4, 2, 3}, 5,
          "the band of rank 1 of 2 is (1, 4, 2, 3) and must be (images, 4, 3, width), its part of 5 rows");
  rejects({1, 4, 3}, 6,
          "the band of rank 1 of 2 is (1, 4, 3) and must be (images, 4, 3, width), its part of 6 rows");
  rejects({1, 16, 3, 3}, 6, "the latents have 16 channels, and this autoencoder decodes 4");
  rejects({2, 4, 3, 3}, 6,
          "rank 1 was asked for latents (2, 4, 6, 3) and rank 0 for latents (1, 4, 6, 3); all ranks must be "
          "given the same request");
}

TEST_CASE("decode: a world of one rank needs no threads") {
  const Toy toy{ToyAutoencoder(small)};
  weft::Solo<weft::host::Queue> world;
  CHECK(difference(weft::ImageDecoder(toy.model, world).decode(toy.latents), toy.wanted) < 2e-5);
}

TEST_CASE("decode: ranks that differ in latents or weights are rejected") {
  const Toy toy{ToyAutoencoder(small)};
  ToyAutoencoder changed(small);
  changed.tensors.at("decoder.conv_in.bias").data[0] = 3;
  const Toy other(changed);
  Tensor larger({2, 4, 5, 4}), negated = toy.latents;
  for (float& number : negated.data) number = -number;
  const auto rejects = [&toy](const Model& model, const Tensor& latents, const char* why) {
    const auto decode = [&](weft::threads::World& world) {
      const bool is_other = world.rank() == 2;
      static_cast<void>(
          weft::ImageDecoder(is_other ? model : toy.model, world).decode(is_other ? latents : toy.latents));
    };
    CHECK_THROWS_WITH_AS(weft::launch(3, decode), why, weft::InvalidArgument);
  };
  rejects(toy.model, larger,
          "rank 2 was asked for latents (2, 4, 5, 4) and rank 0 for latents (2, 4, 5, 3); all ranks must be "
          "given the same request");
  rejects(toy.model, negated,
          "rank 2 was asked for another tensor of latents than rank 0; all ranks must be given the same "
          "request");
  rejects(other.model, toy.latents,
          "rank 2 was asked for another autoencoder than rank 0; all ranks must be given the same request");
}

TEST_CASE("decode: latents of another model are rejected before any work") {
  const Toy toy{ToyAutoencoder(small)};
  const auto rejects = [&toy](const Tensor& latents, const char* why) {
    weft::Solo<weft::host::Queue> world;
    CHECK_THROWS_WITH_AS(static_cast<void>(weft::ImageDecoder(toy.model, world).decode(latents)), why,
                         weft::InvalidArgument);
  };
  rejects(Tensor({1, 16, 5, 3}), "the latents have 16 channels, and this autoencoder decodes 4");
  rejects(Tensor({4, 5, 3}), "the latents are (4, 5, 3) and must be (images, 4, height, width)");
  rejects(Tensor({1, 4, 0, 3}), "the latents are (1, 4, 0, 3) and must be (images, 4, height, width)");
  rejects(Tensor({0, 4, 3, 3}), "the latents are (0, 4, 3, 3) and must be (images, 4, height, width)");
  rejects(Tensor({1, 4, 1, 8193}),
          "the latents are (1, 4, 1, 8193), and at most 8192 rows and columns can be decoded, 16384 pixels");
}
