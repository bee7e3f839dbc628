// LoraFile: adapters of low rank in a file, by the layers that they change.
// Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/json.hpp"
#include "weft/io/safetensors.hpp"

namespace weft::inline v0_1 {

/// A file and how much of it is added.
struct Lora {
  std::filesystem::path file;
  float scale = 1;
};

/// What is added to one layer's weight: scale · up · down.
struct LowRankFactors {
  Tensor up, down;  // (outputs, rank) and (rank, inputs)
  float scale = 1;  // alpha / rank
};

namespace detail {

/// Returns the alpha that diffusers writes into the metadata where it writes no tensors of it. Throws
/// InvalidArgument for settings of PEFT that are not merged here.
inline std::optional<float> alpha_in_metadata(const SafeTensors& file) {
  const auto at = file.metadata().find("lora_adapter_metadata");
  if (at == file.metadata().end()) return std::nullopt;
  const Config settings(at->second, file.name() + ": lora_adapter_metadata");
  for (const char* flag : {"transformer.use_dora", "transformer.use_rslora"})
    if (settings.optional(flag, false))
      reject(settings.name(), ": ", flag, " is true, and plain LoRA alone is merged");
  if (!settings.optional_object("transformer.alpha_pattern").keys().empty())
    reject(settings.name(),
           ": transformer.alpha_pattern gives layers an alpha of their own, which is not read; ",
           "save the file with tensors of alpha");
  if (!settings.has("transformer.lora_alpha")) return std::nullopt;
  return static_cast<float>(settings.required<double>("transformer.lora_alpha"));
}

}  // namespace detail

/// A file's adapters, by the names that its keys begin with, such as "transformer.blocks.0.attn1.to_q".
/// Throws InvalidArgument if a key is no part of an adapter, or an adapter is not whole.
[[nodiscard]] inline std::map<std::string, LowRankFactors> lora_file(const std::filesystem::path& path) {
  const SafeTensors file(path);
  enum Part { up, down, alpha };
  constexpr std::array<std::pair<std::string_view, Part>, 7> endings{{{".lora_A.weight", down},
                                                                      {".lora_B.weight", up},
                                                                      {".lora.down.weight", down},
                                                                      {".lora.up.weight", up},
                                                                      {".lora_down.weight", down},
                                                                      {".lora_up.weight", up},
                                                                      {".alpha", alpha}}};
  const auto matrix = [&file](const std::string& key, const SafeTensors::Entry& entry) {
    if (entry.shape.size() < 2 || entry.shape.front() < 1)
      reject(file.name(), ": tensor ", key, " is ", to_string(entry.shape), " and must be a matrix");
    const Index rows = entry.shape.front();
    return Tensor({rows, element_count(entry.shape) / rows}, file.tensor(key).data);
  };
  std::map<std::string, LowRankFactors> out;
  std::map<std::string, float> alphas;
  for (const auto& [key, entry] : file.entries()) {
    const auto* const ending =
        std::ranges::find_if(endings, [&key = key](const auto& one) { return key.ends_with(one.first); });
    if (ending == endings.end())
      reject(file.name(), ": tensor ", key, " is no part of an adapter; its names end in .lora_A.weight and ",
             ".lora_B.weight, .lora.down.weight and .lora.up.weight, .lora_down.weight and .lora_up.weight, ",
             "or .alpha");
    const std::string layer = key.substr(0, key.size() - ending->first.size());
    if (ending->second == alpha) {
      const Tensor number = file.tensor(key);
      if (number.size() != 1)
        reject(file.name(), ": tensor ", key, " is ", to_string(entry.shape), " and must be one number");
      alphas[layer] = number.data.front();
    } else {
      (ending->second == up ? out[layer].up : out[layer].down) = matrix(key, entry);
    }
  }
  const std::optional<float> common = detail::alpha_in_metadata(file);
  for (auto& [layer, factors] : out) {
    if (factors.up.empty() || factors.down.empty())
      reject(file.name(), ": of the adapter of ", layer, " there is ",
             factors.up.empty() ? "lora_A, and no lora_B" : "lora_B, and no lora_A");
    const Index rank = factors.down.shape[0];
    if (factors.up.shape[1] != rank)
      reject(file.name(), ": the adapter of ", layer, " has ranks ", rank, " and ", factors.up.shape[1],
             ", which must be equal");
    const auto own = alphas.extract(layer);
    const float value = own ? own.mapped() : common.value_or(static_cast<float>(rank));
    factors.scale = value / static_cast<float>(rank);
  }
  if (!alphas.empty())
    reject(file.name(), ": tensor ", alphas.begin()->first, ".alpha belongs to no adapter");
  if (out.empty()) reject(file.name(), " has no adapters");
  return out;
}

}  // namespace weft::inline v0_1
