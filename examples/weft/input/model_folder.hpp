// A model's folder as diffusers stores it, without its weights.
#pragma once

#include <filesystem>

#include "image_size.hpp"
#include "model_settings.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/io/word_table.hpp"

namespace command {

/// Returns whether a setting in the metadata is the scheduler's: `scheduler.KEY`, or one of flow matching's
/// shift, which has that name alone.
[[nodiscard]] bool is_scheduler_setting(const std::string& name);

class ModelFolder {
 public:
  /// Throws InvalidArgument if transformer/config.json is missing or not valid.
  explicit ModelFolder(std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path transformer() const { return folder_ / "transformer"; }
  const ModelSettings& settings() const { return settings_; }
  const weft::DitShape& shape() const { return shape_; }
  /// Returns HunyuanDiT's settings. Throws InvalidArgument, with `reader`, if the model is another one.
  [[nodiscard]] const weft::HunyuanConfig& hunyuan(const char* reader) const;

  /// Returns whether the latents are pixels: red, green and blue.
  bool has_pixels() const { return shape_.channels == 3; }
  /// Returns the scale of the latents: pixels themselves, or an autoencoder's.
  PixelScale pixel_scale() const { return {has_pixels() ? 1 : latent_pixels, shape_.patch}; }
  /// Returns the side, in elements of the latents, of the images that the model was trained for.
  weft::Index sample_size() const { return file_.required<int>("sample_size"); }

  /// Returns scheduler/scheduler_config.json, overridden by the scheduler's settings in the metadata. Where
  /// there are any, set_alpha_to_one is false unless it is set: inputs come from loops that ended so.
  weft::Config scheduler(const weft::SafeTensors::Metadata& metadata = {}) const;

  /// Returns the word table. Throws InvalidArgument if the model has no text/.
  weft::WordTable words() const;

 private:
  std::filesystem::path folder_;
  weft::Config file_;
  ModelSettings settings_;
  weft::DitShape shape_;
};

}  // namespace command
