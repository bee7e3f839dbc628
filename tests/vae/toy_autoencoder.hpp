// Small autoencoders with random weights, in folders as diffusers stores them.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "../io/temporary_folder.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/vae/config.hpp"

using Tensors = std::map<std::string, weft::Tensor>;

inline weft::Tensor random_tensor(std::mt19937& generator, const weft::Shape& shape, double deviation,
                                  double mean = 0) {
  weft::Tensor out(shape);
  std::normal_distribution<double> normal(mean, deviation);
  for (float& number : out.data) number = static_cast<float>(normal(generator));
  return out;
}

/// The settings and tensors of an autoencoder.
struct ToyAutoencoder {
  nlohmann::json settings;
  Tensors tensors;

  /// Makes the tensors that a decoder of these settings has, by diffusers' names.
  explicit ToyAutoencoder(const nlohmann::json& object) : settings(object) {
    const weft::AutoencoderConfig config = this->config();
    const weft::Index latents = config.latent_channels, first = config.widths.front();
    if (config.has_post_quant) convolution("post_quant_conv", latents, latents, 1);
    convolution("decoder.conv_in", first, latents, 3);
    resnet("decoder.mid_block.resnets.0", first, first);
    resnet("decoder.mid_block.resnets.1", first, first);
    if (config.has_attention) {
      const std::string name = "decoder.mid_block.attentions.0.";
      norm(name + "group_norm", first);
      for (const char* layer : {"to_q", "to_k", "to_v", "to_out.0"}) linear(name + layer, first);
    }
    weft::Index width = first;
    for (std::size_t i = 0; i < config.widths.size(); ++i) {
      const std::string name = "decoder.up_blocks." + std::to_string(i);
      for (weft::Index r = 0; r < config.resnets; ++r) {
        resnet(name + ".resnets." + std::to_string(r), config.widths[i], width);
        width = config.widths[i];
      }
      if (i + 1 < config.widths.size()) convolution(name + ".upsamplers.0.conv", width, width, 3);
    }
    norm("decoder.conv_norm_out", width);
    convolution("decoder.conv_out", config.out_channels, width, 3);
  }

  weft::AutoencoderConfig config() const {
    return weft::AutoencoderConfig(weft::Config(settings.dump(), "config.json"));
  }

  std::filesystem::path write(const TemporaryFolder& folder) const {
    folder.write("config.json", settings.dump());
    folder.write("diffusion_pytorch_model.safetensors", weft::to_safetensors(tensors));
    return folder.path();
  }

  /// Renames a layer.
  void rename(const std::string& from, const std::string& to) {
    for (const char* part : {".weight", ".bias"}) {
      auto node = tensors.extract(from + part);
      node.key() = to + part;
      tensors.insert(std::move(node));
    }
  }

 private:
  void layer(const std::string& name, const weft::Shape& shape) {
    const auto inputs = static_cast<double>(weft::element_count(shape) / shape[0]);
    tensors[name + ".weight"] = random_tensor(generator_, shape, 1 / std::sqrt(inputs));
    tensors[name + ".bias"] = random_tensor(generator_, {shape[0]}, 0.1);
  }
  void convolution(const std::string& name, weft::Index outputs, weft::Index inputs, weft::Index side) {
    layer(name, {outputs, inputs, side, side});
  }
  void linear(const std::string& name, weft::Index width) { layer(name, {width, width}); }
  void norm(const std::string& name, weft::Index width) {
    tensors[name + ".weight"] = random_tensor(generator_, {width}, 0.2, 1);
    tensors[name + ".bias"] = random_tensor(generator_, {width}, 0.2);
  }
  void resnet(const std::string& name, weft::Index outputs, weft::Index inputs) {
    norm(name + ".norm1", inputs);
    convolution(name + ".conv1", outputs, inputs, 3);
    norm(name + ".norm2", outputs);
    convolution(name + ".conv2", outputs, outputs, 3);
    if (inputs != outputs) convolution(name + ".conv_shortcut", outputs, inputs, 1);
  }

  std::mt19937 generator_{7};
};
