// Hardware descriptions as JSON files.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "weft/io/json.hpp"
#include "weft/plan/machines.hpp"

namespace weft {

namespace detail {

/// Calls visit(key, number) for all that a description holds, with numbers of the caller's constness.
template <class Description, class Visit>
void for_each_number(Description& hardware, Visit visit) {
  visit("matrix_flop_rate", hardware.gpu.matrix_rate);
  visit("attention_flop_rate", hardware.gpu.attention_rate);
  visit("memory_byte_rate", hardware.gpu.memory_rate);
  visit("memory_bytes", hardware.gpu.memory);
  visit("multiprocessors", hardware.gpu.multiprocessors);
  visit("launch_seconds", hardware.gpu.launch);
  const char* const names[] = {"near", "host", "network"};
  for (std::size_t t = 0; t < hardware.tiers.size(); ++t) {
    const std::string name = names[t];
    if (t + 1 < hardware.tiers.size()) visit(name + "_gpus", hardware.tiers[t].gpus);
    visit(name + "_byte_rate", hardware.tiers[t].rate);
    visit(name + "_latency_seconds", hardware.tiers[t].latency);
    visit(name + "_is_shared", hardware.tiers[t].shared);
  }
}

}  // namespace detail

inline std::string hardware_json(const Hardware& hardware) {
  std::string out;
  detail::for_each_number(hardware, [&out](const std::string& key, const auto& value) {
    char text[32];
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
      std::snprintf(text, sizeof text, "%.6g", value);
    } else if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>) {
      std::snprintf(text, sizeof text, "%s", value ? "true" : "false");
    } else {
      std::snprintf(text, sizeof text, "%d", value);
    }
    out += (out.empty() ? "{\n \"" : ",\n \"") + key + "\": " + text;
  });
  return out + "\n}\n";
}

/// Refused if a number is missing, or a rate is not above 0.
inline Hardware hardware_in(const Config& config) {
  Hardware hardware;
  detail::for_each_number(hardware, [&config](const std::string& key, auto& value) {
    using Number = std::decay_t<decltype(value)>;
    value = config.required<Number>(key);
    if constexpr (!std::is_same_v<Number, bool>)
      if (!(value > 0)) refuse(config.name(), ": ", key, " is ", value, " and must be above 0");
  });
  hardware.tiers.back().gpus = all_gpus;
  return hardware;
}

/// The machine of that name, or what the file says.
inline Hardware hardware_of(const std::string& name) {
  if (name.ends_with(".json") || std::filesystem::exists(name)) return hardware_in(Config::read(name));
  return machine_named(name);
}

}  // namespace weft
