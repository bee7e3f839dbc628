// PipelineFolder: a pipeline's folder as diffusers stores it, without weights.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "weft/pipeline/image_sizes.hpp"
#include "weft/vae/config.hpp"

namespace weft::inline v0_1::pipeline {

class PipelineFolder {
 public:
  /// Reads model_index.json and the settings of transformer, scheduler and autoencoder. Throws
  /// InvalidArgument if one is missing or not valid, or they do not fit each other.
  explicit PipelineFolder(std::filesystem::path path)
      : path_(std::move(path)),
        class_(&pipeline_class(Config::read(path_ / "model_index.json"))),
        transformer_(Config::read(transformer() / "config.json")),
        scheduler_(Config::read(path_ / "scheduler" / "scheduler_config.json")),
        autoencoder_(Config::read(autoencoder() / "config.json")) {
    const auto name = transformer_.optional<std::string>("_class_name", std::string(class_->transformer));
    if (name != class_->transformer)
      reject(transformer_.name(), ": _class_name is ", name, ", and the transformer of ", class_->name,
             " is ", class_->transformer);
  }

  /// Returns whether the folder is a pipeline's: whether it has a model_index.json that names an autoencoder.
  /// Throws InvalidArgument if that file is not valid.
  [[nodiscard]] static bool is_at(const std::filesystem::path& path) {
    const std::filesystem::path index = path / "model_index.json";
    return std::filesystem::exists(std::filesystem::symlink_status(index)) && Config::read(index).has("vae");
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path transformer() const { return path_ / "transformer"; }
  std::filesystem::path autoencoder() const { return path_ / "vae"; }
  const PipelineClass& pipeline() const { return *class_; }
  const Config& scheduler() const { return scheduler_; }
  const AutoencoderConfig& autoencoder_config() const { return autoencoder_; }

  /// Throws InvalidArgument unless the autoencoder decodes the transformer's latents.
  void check(const DitShape& shape) const {
    if (autoencoder_.latent_channels != shape.channels)
      reject(path_.string(), ": the transformer's latents have ", shape.channels,
             " channels, and the autoencoder decodes ", autoencoder_.latent_channels);
  }

  PixelScale scale(Index patch) const { return {autoencoder_.scale(), patch}; }
  /// Returns the side in pixels of the images that the model was trained for, which is the default.
  Index native_side() const {
    constexpr Index of_flux = 128;  // whose settings do not name it
    return autoencoder_.scale() *
           (transformer_.has("sample_size") ? transformer_.required<int>("sample_size") : of_flux);
  }

 private:
  std::filesystem::path path_;
  const PipelineClass* class_;
  Config transformer_, scheduler_;
  AutoencoderConfig autoencoder_;
};

}  // namespace weft::inline v0_1::pipeline
