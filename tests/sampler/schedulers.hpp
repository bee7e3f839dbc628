// Scheduler files for tests: the golden model's, with settings replaced.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "weft/io/json.hpp"

using Settings = std::initializer_list<std::pair<const char*, nlohmann::json>>;

inline weft::Config scheduler_with(Settings settings = {}) {
  nlohmann::json object{
      {"num_train_timesteps", 1000},      {"beta_start", 0.00085}, {"beta_end", 0.018},
      {"beta_schedule", "scaled_linear"}, {"clip_sample", false},  {"prediction_type", "v_prediction"},
      {"timestep_spacing", "leading"},    {"steps_offset", 1}};
  for (const auto& [key, value] : settings) object[key] = value;
  return {object.dump(), "s.json"};
}
