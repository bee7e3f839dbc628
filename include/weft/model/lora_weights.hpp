// LoraWeights: a model's weights with adapters of low rank merged into them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/digest.hpp"
#include "weft/core/numbers.hpp"
#include "weft/io/name_list.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/lora_file.hpp"
#include "weft/model/lora_names.hpp"

namespace weft::inline v0_1 {

/// The weights of a folder, of which loaders read W + scale · alpha / rank · up · down. Models WeightSource;
/// it must outlive the loading.
class LoraWeights {
 public:
  /// Opens the weights in `folder` and reads the adapters. Their names are diffusers', "transformer." or
  /// "base_model.model." before a layer's, or kohya's, "lora_unet_" or "lora_transformer_" before one with
  /// underscores for dots; layers may have the names that FLUX's and HunyuanDiT's authors gave them. Throws
  /// InvalidArgument if an adapter fits no layer or is of another size, or if a scale is no finite number.
  explicit LoraWeights(const std::filesystem::path& folder, std::span<const Lora> loras = {})
      : folder_(folder), files_(folder), digest_(files_.digest()) {
    if (loras.empty()) return;
    for (const std::string& name : files_.names())
      if (name.ends_with(ending) && files_.find(name)->shape.size() >= 2)
        layers_[underscored(name.substr(0, name.size() - ending.size()))] = name;
    for (const Lora& lora : loras) add(lora);
  }

  void expect(const std::map<std::string, Shape>& all) const { files_.expect(all); }

  MergedNumbers get(const std::string& name, const Shape& shape) const {
    const SafeTensors::Entry& entry = files_.get(name, shape);
    const auto at = added_.find(name);
    if (at == added_.end()) return entry;
    std::vector<LowRankTerm> terms;
    for (const LowRankFactors& factors : at->second)
      terms.push_back({factors.up.data.data(), factors.down.data.data(), factors.down.shape[0],
                       factors.down.shape[1], factors.scale});
    return {entry, std::move(terms)};
  }

  /// Returns a hash of the weights and the adapters.
  std::uint64_t digest() const { return digest_; }

 private:
  static constexpr std::string_view ending = ".weight";

  static std::string underscored(std::string name) {
    std::ranges::replace(name, '.', '_');
    return name;
  }

  /// Returns the weights that an adapter changes, one below the other. Throws InvalidArgument if there are
  /// none.
  std::vector<std::string> targets(const Lora& lora, const std::string& adapter) const {
    for (const std::string_view prefix : {"transformer.", "base_model.model.transformer.",
                                          "base_model.model.", "lora_unet_", "lora_transformer_"}) {
      if (!adapter.starts_with(prefix)) continue;
      const std::string name = underscored(adapter.substr(prefix.size()));
      if (const auto at = layers_.find(name); at != layers_.end()) return {at->second};
      std::vector<std::string> out;
      for (const std::string& layer : detail::layers_of_authors_name(name))
        if (const auto at = layers_.find(layer); at != layers_.end()) out.push_back(at->second);
      if (!out.empty()) return out;
    }
    for (const std::string_view prefix : {"text_encoder", "lora_te"})
      if (adapter.starts_with(prefix))
        reject(lora.file.string(), ": the adapter of ", adapter, " changes a text encoder, and those of the ",
               "transformer alone are merged; save a file without it");
    std::vector<std::string> names;
    for (const auto& [layer, name] : layers_) names.push_back(name.substr(0, name.size() - ending.size()));
    reject(lora.file.string(), ": the adapter of ", adapter, " fits no layer of ", folder_.string(),
           ", which has ", first_few(std::move(names)));
  }

  void add(const Lora& lora) {
    if (!std::isfinite(lora.scale))
      reject("the scale of ", lora.file.string(), " is ", lora.scale,
             " and must be a finite number; 1 is usual");
    for (const auto& [adapter, factors] : lora_file(lora.file)) {
      const std::vector<std::string> names = targets(lora, adapter);
      Shape all{0, 0};
      for (const std::string& name : names) {
        const Shape& shape = files_.find(name)->shape;
        all = {all[0] + shape.front(), element_count(shape) / shape.front()};
      }
      const Shape product{factors.up.shape[0], factors.down.shape[1]};
      if (product != all)
        reject(lora.file.string(), ": the adapter of ", adapter, " is of a matrix ", to_string(product),
               ", and ", listed(names), names.size() == 1 ? " is " : " together are ", to_string(all));
      auto row = factors.up.data.begin();
      for (const std::string& name : names) {
        const Index rows = files_.find(name)->shape.front(), rank = factors.up.shape[1];
        const auto end = row + rows * rank;
        LowRankFactors part{Tensor({rows, rank}, {row, end}), factors.down, factors.scale * lora.scale};
        row = end;
        digest_ = digest_of(digest_, std::string_view(name), part.up, part.down, part.scale);
        added_[name].push_back(std::move(part));
      }
    }
  }

  std::filesystem::path folder_;
  WeightFiles files_;
  std::uint64_t digest_;
  std::map<std::string, std::string> layers_;  // weights, by their layers' names with underscores
  std::map<std::string, std::vector<LowRankFactors>> added_;
};

}  // namespace weft::inline v0_1
