// Reads and writes hardware descriptions as JSON files.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <type_traits>

#include "weft/io/json.hpp"
#include "weft/plan/machines.hpp"

namespace weft::inline v0_1::planner {

namespace detail {

/// Calls visit(key, number, is_optional) for every number of a description; numbers are const if the
/// description is. Optional ones are 0 if they are unknown.
template <class Description, class Visit>
void for_each_number(Description& hardware, Visit visit) {
  auto& gpu = hardware.gpu;
  visit("matrix_flop_rate", gpu.matrix_rate, false);
  visit("attention_flop_rate", gpu.attention_rate, false);
  visit("memory_byte_rate", gpu.memory_rate, false);
  visit("memory_bytes", gpu.memory, false);
  visit("multiprocessors", gpu.multiprocessors, false);
  visit("launch_seconds", gpu.launch, false);
  visit("sustained_matrix_flop_rate", gpu.sustained_matrix_rate, true);
  visit("rows_byte_rate", gpu.rows_rate, true);
  visit("epilogue_number_rate", gpu.epilogue_rate, true);
  visit("softmax_share", gpu.softmax_share, true);
  visit("split_key_cost", gpu.split_key_cost, true);
  visit("stored_early_share", gpu.stored_early, true);
  visit("relaunch_seconds", hardware.relaunch, true);
  const char* const names[] = {"near", "host", "network"};
  for (std::size_t t = 0; t < hardware.tiers.size(); ++t) {
    const std::string name = names[t];
    auto& tier = hardware.tiers[t];
    if (t + 1 < hardware.tiers.size()) visit(name + "_gpus", tier.gpus, false);
    visit(name + "_byte_rate", tier.rate, false);
    visit(name + "_latency_seconds", tier.latency, false);
    visit(name + "_is_shared", tier.shared, false);
    visit(name + "_store_byte_rate", tier.stores.rate, true);
    visit(name + "_barrier_seconds", tier.stores.latency, true);
    visit(name + "_nccl_byte_rate", tier.nccl.rate, true);
    visit(name + "_nccl_latency_seconds", tier.nccl.latency, true);
  }
}

}  // namespace detail

/// Returns the description as JSON, without its unknown numbers.
inline std::string hardware_json(const Hardware& hardware) {
  std::string out;
  detail::for_each_number(hardware, [&out](const std::string& key, const auto& value, bool is_optional) {
    if (is_optional && value == 0) return;
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

/// Returns the description in `config`. Throws InvalidArgument if a required number is missing, or one is not
/// above 0.
inline Hardware hardware_in(const Config& config) {
  Hardware hardware;
  detail::for_each_number(hardware, [&config](const std::string& key, auto& value, bool is_optional) {
    using Number = std::decay_t<decltype(value)>;
    if (is_optional && !config.has(key)) return;
    value = config.required<Number>(key);
    if constexpr (!std::is_same_v<Number, bool>)
      if (!(value > 0)) reject(config.name(), ": ", key, " is ", value, " and must be above 0");
  });
  hardware.tiers.back().gpus = all_gpus;
  return hardware;
}

/// Returns the machine of that name, or the description in the file of that name.
inline Hardware hardware_of(const std::string& name) {
  if (name.ends_with(".json") || std::filesystem::exists(name)) return hardware_in(Config::read(name));
  return machine_named(name);
}

}  // namespace weft::inline v0_1::planner
