// Autoencoders that are rejected when they are loaded.
#include "weft/vae/autoencoder_kl.hpp"

#include <doctest/doctest.h>

#include "toy_autoencoder.hpp"
#include "weft/backend/host.hpp"

namespace {

const nlohmann::json two_blocks{{"block_out_channels", {8, 12}}, {"norm_num_groups", 4}};

void rejects(const nlohmann::json& more, const std::string& why) {
  nlohmann::json settings = two_blocks;
  settings.update(more);
  CHECK_THROWS_WITH_AS(weft::AutoencoderConfig(weft::Config(settings.dump(), "c.json")), why.c_str(),
                       weft::InvalidArgument);
}

/// Checks that a toy's folder is rejected for these reasons, after its name.
void rejects_files(const ToyAutoencoder& toy, const std::string& why) {
  const TemporaryFolder folder;
  const std::string wanted = toy.write(folder).string() + ": " + why;
  CHECK_THROWS_WITH_AS(weft::AutoencoderKL<weft::Host>(folder.path()), wanted.c_str(), weft::InvalidArgument);
}

}  // namespace

TEST_CASE("AutoencoderConfig: what diffusers assumes where a key is missing") {
  const weft::AutoencoderConfig config(weft::Config(R"({"block_out_channels": [64]})", "c.json"));
  CHECK(config.widths == std::vector<weft::Index>{64});
  CHECK(config.resnets == 2);
  CHECK(config.groups == 32);
  CHECK(config.latent_channels == 4);
  CHECK(config.scaling_factor == doctest::Approx(0.18215));
  CHECK(config.shift_factor == 0);
  CHECK(config.has_post_quant);
  CHECK(config.has_attention);
  CHECK(config.scale() == 1);
}

TEST_CASE("AutoencoderConfig: another class, and settings that the decoder does not have") {
  rejects({{"_class_name", "AutoencoderTiny"}},
          "c.json: _class_name is AutoencoderTiny, and this model has AutoencoderKL alone");
  rejects({{"act_fn", "relu"}}, "c.json: act_fn is relu, and this model has silu alone");
  rejects({{"up_block_types", {"UpDecoderBlock2D", "AttnUpDecoderBlock2D"}}},
          "c.json: up_block_types has AttnUpDecoderBlock2D, and this model has UpDecoderBlock2D alone");
  rejects({{"up_block_types", {"UpDecoderBlock2D"}}},
          "c.json: up_block_types has 1 names and must have one for each of the 2 block_out_channels");
  rejects({{"latents_mean", {0, 0, 0, 0}}},
          "c.json: latents_mean is set, and only latents with one scaling_factor can be decoded");
  rejects({{"scaling_factor", 0}}, "c.json: scaling_factor is 0 and must be another number");
  rejects({{"norm_num_groups", 3}},
          "c.json: block_out_channels has 8, which must be a multiple of the 3 norm_num_groups; 6 would do");
  rejects({{"block_out_channels", nlohmann::json::array()}},
          "c.json: block_out_channels has 0 numbers and must have 1 to 8");
  rejects({{"block_out_channels", {0}}},
          "c.json: block_out_channels has 0 and must have numbers from 1 to 65536");
  rejects({{"layers_per_block", 64}}, "c.json: layers_per_block is 64 and must be at most 63");
}

TEST_CASE(
    "AutoencoderKL: weights that are missing, surplus or misshapen, and those of the encoder beside them") {
  const ToyAutoencoder whole(two_blocks);
  {
    ToyAutoencoder toy = whole;
    toy.tensors["encoder.conv_in.weight"] = toy.tensors["quant_conv.bias"] = weft::Tensor({3});
    const TemporaryFolder folder;
    CHECK_NOTHROW(weft::AutoencoderKL<weft::Host>(toy.write(folder)));
  }
  ToyAutoencoder missing = whole;
  missing.tensors.erase("decoder.conv_out.bias");
  missing.tensors.erase("decoder.mid_block.attentions.0.to_k.weight");
  rejects_files(missing,
                "2 tensors are missing: decoder.conv_out.bias and "
                "decoder.mid_block.attentions.0.to_k.weight");
  ToyAutoencoder surplus = whole;
  surplus.tensors["decoder.up_blocks.2.resnets.0.norm1.bias"] = weft::Tensor({3});
  rejects_files(surplus, "1 tensor is surplus: decoder.up_blocks.2.resnets.0.norm1.bias");
  ToyAutoencoder misshapen = whole;
  misshapen.tensors["decoder.conv_in.weight"] = weft::Tensor({12, 4, 1, 1});
  rejects_files(misshapen,
                "1 tensor is misshapen: decoder.conv_in.weight is (12, 4, 1, 1) and should be (12, 4, 3, 3)");
}
