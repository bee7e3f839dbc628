// Finding the file of a model folder that holds its weights, by the names that diffusers gives.
#pragma once

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/name_list.hpp"

namespace weft::inline v0_1 {

/// A file of weights, or the index of its shards.
struct WeightFileName {
  std::filesystem::path path;
  bool is_index = false;
};

namespace detail {

/// The folder's files that may hold weights, sorted.
struct WeightCandidates {
  std::vector<std::string> indices;  // of shards
  std::vector<std::string> files;    // of safetensors
  std::vector<std::string> foreign;  // of other formats

  explicit WeightCandidates(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename().string();
      const std::string extension = entry.path().extension().string();
      const auto is_one_of = [&extension](std::initializer_list<std::string_view> known) {
        return std::ranges::find(known, extension) != known.end();
      };
      if (extension == ".json" && name.find(".safetensors.index.") != name.npos) indices.push_back(name);
      if (extension == ".safetensors") files.push_back(name);
      if (is_one_of({".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".gguf", ".onnx"}))
        foreign.push_back(name);
    }
    for (auto* names : {&indices, &files, &foreign}) std::ranges::sort(*names);
  }
};

/// Throws InvalidArgument, which names the files that are there instead and what to do with them.
[[noreturn]] inline void reject_other_names(const std::filesystem::path& folder, const std::string& single,
                                            const std::string& index) {
  const WeightCandidates there(folder);
  const std::string missing =
      folder.string() + " has neither " + single + " nor " + index + ", one of which is needed";
  const auto is_shard = [](const std::string& name) { return name.find("-of-") != name.npos; };
  if (!there.indices.empty())
    reject(missing, "; it has ", first_few(there.indices), ": copy the one to take to ", index);
  if (std::ranges::any_of(there.files, is_shard))
    reject(missing, "; it has the shards ", first_few(there.files), ": add their index, ", index);
  if (!there.files.empty())
    reject(missing, "; it has ", first_few(there.files), ": rename the one to take to ", single);
  if (!there.foreign.empty())
    reject(missing, "; it has ", first_few(there.foreign),
           ", which is not read: save the weights with safe_serialization=True of diffusers");
  reject(missing);
}

}  // namespace detail

/// Returns `folder`/`stem`.safetensors or `folder`/`stem`.safetensors.index.json, whichever is there; links
/// count even if their targets are missing. Throws InvalidArgument if both or neither are there.
inline WeightFileName weight_file_name(const std::filesystem::path& folder, const std::string& stem) {
  const std::string single = stem + ".safetensors", index = single + ".index.json";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) reject("there is no folder ", folder.string());
  const auto has = [&folder, &ignored](const std::string& name) {
    return std::filesystem::exists(std::filesystem::symlink_status(folder / name, ignored));
  };
  const bool has_index = has(index);
  if (has_index && has(single))
    reject(folder.string(), " has both ", single, " and ", index,
           ", and one of them is needed; move the one that is not to be read elsewhere");
  if (!has_index && !has(single)) detail::reject_other_names(folder, single, index);
  return {folder / (has_index ? index : single), has_index};
}

}  // namespace weft::inline v0_1
