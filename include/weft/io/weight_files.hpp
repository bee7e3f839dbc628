// WeightFiles: the weights of a model folder, one safetensors file or the shards that an index names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "weft/core/digest.hpp"
#include "weft/core/error.hpp"
#include "weft/core/spans.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/json.hpp"
#include "weft/io/name_list.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/io/weight_names.hpp"

namespace weft::inline v0_1 {

/// A model folder's weight files, mapped as long as this object lives. Threads may read at once.
class WeightFiles {
 public:
  /// Opens `folder`/`stem`.safetensors, or every shard that `folder`/`stem`.safetensors.index.json names.
  /// Throws InvalidArgument if both or neither are there, or if index and shards differ about any tensor.
  explicit WeightFiles(const std::filesystem::path& folder,
                       const std::string& stem = "diffusion_pytorch_model")
      : folder_(folder) {
    const WeightFileName name = weight_file_name(folder, stem);
    if (name.is_index) {
      open_shards(name.path);
    } else {
      open_single(name.path);
    }
  }

  /// Returns null if there is no such tensor.
  const SafeTensors::Entry* find(const std::string& name) const {
    const auto at = entries_.find(name);
    return at == entries_.end() ? nullptr : at->second;
  }

  /// Returns a tensor's entry, valid as long as this object lives. Throws InvalidArgument if there is no such
  /// tensor, its shape is not `shape` or its dtype is not readable.
  const SafeTensors::Entry& get(const std::string& name, const Shape& shape) const {
    const SafeTensors::Entry* const entry = find(name);
    if (!entry) reject(folder_.string(), " has no tensor ", name, "; it has ", first_few(names()));
    if (entry->shape != shape) reject(folder_.string(), ": tensor ", misshapen(name, entry->shape, shape));
    check_readable(entry->dtype, sentence(folder_.string(), ": tensor ", name));
    return *entry;
  }

  /// Returns a hash of the weights that does not depend on shards: of every tensor's name, dtype and shape,
  /// and of its first 64 bytes, 64 in the middle and the last 64.
  std::uint64_t digest() const {
    constexpr std::size_t sample = 64;
    Digest out;
    for (const auto& [name, entry] : entries_) {
      add_to(out, name);
      add_to(out, entry->dtype);
      out.add(bytes_of(entry->shape));
      const std::span<const std::byte> bytes = entry->bytes;
      const std::size_t size = std::min(sample, bytes.size());
      for (const std::size_t begin : {std::size_t{0}, (bytes.size() - size) / 2, bytes.size() - size})
        out.add(bytes.subspan(begin, size));
    }
    return out.value();
  }

  /// Returns the names of all tensors, sorted.
  std::vector<std::string> names() const { return keys_of(entries_); }

  /// Throws InvalidArgument, naming what is missing, surplus and misshapen, unless the tensors are exactly
  /// these; others whose names begin with one of `unread` may lie beside them.
  void expect(const std::map<std::string, Shape>& expected,
              const std::vector<std::string_view>& unread = {}) const {
    std::vector<std::string> missing, surplus, wrong;
    for (const auto& [name, shape] : expected) {
      const SafeTensors::Entry* const entry = find(name);
      if (!entry) {
        missing.push_back(name);
      } else if (entry->shape != shape) {
        wrong.push_back(misshapen(name, entry->shape, shape));
      }
    }
    for (const auto& [name, entry] : entries_) {
      const auto begins_name = [&name = name](std::string_view prefix) { return name.starts_with(prefix); };
      if (!expected.contains(name) && std::ranges::none_of(unread, begins_name)) surplus.push_back(name);
    }

    std::string faults;
    const auto add = [&faults](const std::vector<std::string>& names, const char* fault) {
      if (names.empty()) return;
      const bool one = names.size() == 1;
      const std::string noun = !faults.empty() ? "" : one ? " tensor" : " tensors";
      faults += sentence(faults.empty() ? "" : "; ", names.size(), noun, one ? " is " : " are ", fault, ": ",
                         first_few(names));
    };
    add(missing, "missing");
    add(surplus, "surplus");
    add(wrong, "misshapen");
    if (!faults.empty()) reject(folder_.string(), ": ", faults);
  }

 private:
  static std::string misshapen(const std::string& name, const Shape& is, const Shape& should_be) {
    return name + " is " + to_string(is) + " and should be " + to_string(should_be);
  }

  void open_single(const std::filesystem::path& path) {
    const SafeTensors& file = files_.emplace(path.filename().string(), path).first->second;
    for (const auto& [name, entry] : file.entries()) entries_.emplace(name, &entry);
  }

  void open_shards(const std::filesystem::path& index_path) {
    const Config index = Config::read(index_path);
    const auto shard_of = index.required_strings("weight_map");
    for (const auto& [name, shard] : shard_of) {
      if (!files_.contains(shard)) open_shard(shard, index);
      const SafeTensors::Entry* entry = files_.at(shard).find(name);
      if (!entry) reject(index.name(), " places tensor ", name, " in ", shard, ", which does not hold it");
      entries_.emplace(name, entry);
    }
    for (const auto& [shard, file] : files_) {
      for (const auto& [name, entry] : file.entries()) {
        const auto at = shard_of.find(name);
        if (at == shard_of.end())
          reject(file.name(), " holds tensor ", name, ", which ", index.name(), " does not list");
        if (at->second != shard)
          reject(file.name(), " holds tensor ", name, ", which ", index.name(), " places in ", at->second);
      }
    }
  }

  void open_shard(const std::string& shard, const Config& index) {
    const std::filesystem::path file(shard);
    if (file.filename() != file || shard.empty() || shard == "." || shard == "..")
      reject(index.name(), " names the shard ", shard,
             "; a shard is a plain file name in the folder of the index");
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(folder_ / file, ignored)))
      reject(index.name(), " names the shard ", shard, ", which is not in ", folder_.string());
    files_.emplace(shard, folder_ / file);
  }

  std::filesystem::path folder_;
  std::map<std::string, SafeTensors, std::less<>> files_;
  std::map<std::string, const SafeTensors::Entry*, std::less<>> entries_;
};

}  // namespace weft::inline v0_1
