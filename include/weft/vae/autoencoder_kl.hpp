// AutoencoderKL: diffusers' variational autoencoder, as far as it decodes latents into images.
#pragma once

#include <cstdint>
#include <filesystem>

#include "weft/core/digest.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/vae/weights.hpp"

namespace weft::inline v0_1 {

/// The decoder of SDXL, HunyuanDiT and PixArt (4 channels of latents), SD3 and FLUX (16): Rombach et al.,
/// "High-Resolution Image Synthesis with Latent Diffusion Models", 2022. Ranks that share the memory of one
/// device may decode with one at once.
template <ImageBackend BackendType>
class AutoencoderKL {
 public:
  using Backend = BackendType;
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Reads `folder`/config.json and the weights beside it; those of the encoder are left unread. Throws
  /// InvalidArgument, before any is read, if the folder is of another model.
  explicit AutoencoderKL(const std::filesystem::path& folder)
      : config_(Config::read(folder / "config.json")) {
    const WeightFiles files(folder);
    digest_ = digest_of(config_.digest(), files.digest());
    read(files);
  }
  /// Makes a model of these settings on a backend that counts.
  AutoencoderKL(const AutoencoderConfig& config, ShapesAlone shapes) requires(!holds_numbers<BackendType>)
      : config_(config) {
    read(shapes);
  }

  const AutoencoderConfig& config() const { return config_; }
  /// Returns a hash of settings and weights.
  std::uint64_t digest() const { return digest_; }
  const vae::Weights<Element>& weights() const { return weights_; }
  /// Returns the bytes of the weights.
  Index weight_bytes() const {
    Index bytes = 0;
    for (const auto& buffer : memory_.elements) bytes += buffer.size() * static_cast<Index>(sizeof(Element));
    for (const auto& buffer : memory_.numbers) bytes += buffer.size() * static_cast<Index>(sizeof(float));
    return bytes;
  }

 private:
  void read(const auto& source) {
    Queue queue;  // ends when all is there
    weights_ =
        vae::WeightReader<Backend>(queue, source)
            .read([this](auto& reader) { return vae::Weights<Element>::place(reader, config_); }, memory_);
  }

  AutoencoderConfig config_;
  std::uint64_t digest_ = 0;
  typename vae::WeightReader<Backend>::Memory memory_;
  vae::Weights<Element> weights_;
};

}  // namespace weft::inline v0_1
