// SchedulerFile: a scheduler_config.json of diffusers, read key by key as from_config does.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/json.hpp"

namespace weft::inline v0_1 {

/// The names of a setting's values.
template <class T>
using Choices = std::vector<std::pair<std::string_view, T>>;

/// A reader of settings. Keys that `_use_default_values` lists count as absent, and so does a null, except
/// for flags: there it is Python's None, which is false. The config must outlive it.
class SchedulerFile {
 public:
  /// Reads `config` for the class `scheduler`, which rejections name.
  SchedulerFile(const Config& config, std::string_view scheduler)
      : config_(config),
        scheduler_(scheduler),
        defaults_(config.optional_array<std::string>("_use_default_values")) {}

  /// Sets `value` to that of `key`, or leaves it if the key is absent. Throws InvalidArgument if it is of
  /// another type or not one of the choices.
  template <Setting T>
  void read(std::string_view key, T& value) const {
    if (has(key)) value = config_.required<T>(key);
  }
  void read(std::string_view key, bool& flag) const {
    if (config_.is_null(key) && !is_default(key)) flag = false;
    if (has(key)) flag = config_.required<bool>(key);
  }
  void read(std::string_view key, std::vector<double>& numbers) const {
    if (!has(key)) return;
    numbers = config_.optional_array<double>(key);
    if (numbers.empty()) reject(key, " is empty and must hold numbers; leave it away, or make it null");
  }
  template <class T>
  void read(std::string_view key, T& value, const Choices<T>& choices) const {
    if (!has(key)) return;
    const auto name = config_.required<std::string>(key);
    for (const auto& [known, choice] : choices)
      if (known == name) {
        value = choice;
        return;
      }
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    reject_choice(key, name, names);
  }

  /// Returns whether the key is there, and not null or listed in `_use_default_values`.
  bool has(std::string_view key) const { return config_.has(key) && !is_default(key); }

  /// Throws InvalidArgument with a sentence that begins with the file.
  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    weft::reject(config_.name(), ": ", parts...);
  }

  const std::string& name() const { return config_.name(); }

 private:
  [[noreturn]] void reject_choice(std::string_view key, const std::string& name,
                                  const std::vector<std::string_view>& known) const {
    reject(key, " is ", name, ", and ", scheduler_, " here knows ", listed(known));
  }

  bool is_default(std::string_view key) const { return std::ranges::count(defaults_, key) > 0; }

  const Config& config_;
  std::string_view scheduler_;
  std::vector<std::string> defaults_;
};

}  // namespace weft::inline v0_1
