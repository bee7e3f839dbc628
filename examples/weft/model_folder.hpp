// What a model's folder says about it, the weights left aside.
#pragma once

#include <filesystem>

#include "image_size.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/io/word_table.hpp"
#include "weft/model/hunyuan/config.hpp"

namespace command {

class ModelFolder {
 public:
  /// Throws InvalidArgument if there is no fit transformer/config.json.
  explicit ModelFolder(std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path transformer() const { return folder_ / "transformer"; }
  const weft::HunyuanConfig& config() const { return config_; }

  /// Whether states are images: red, green and blue.
  bool is_of_pixels() const { return config_.channels == 3; }
  /// Other states than images are those of an autoencoder, which makes eight pixels of an element.
  PixelScale pixel_scale() const { return {is_of_pixels() ? 1 : 8, config_.patch}; }
  /// The side, in elements of the state, of the images that the model was made for.
  weft::Index sample_size() const { return settings_.required<int>("sample_size"); }

  /// scheduler/scheduler_config.json, with metadata `scheduler.KEY` instead where there are such. Inputs
  /// whose metadata have settings come from loops that ended with set_alpha_to_one false unless one of both
  /// says otherwise.
  weft::Config scheduler(const weft::SafeTensors::Metadata& metadata = {}) const;

  /// Throws InvalidArgument if the model comes without text/.
  weft::WordTable words() const;

 private:
  std::filesystem::path folder_;
  weft::Config settings_;
  weft::HunyuanConfig config_;
};

}  // namespace command
