// A plan as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "weft/plan.hpp"

namespace command {

/// Prints the first meshes of the ranking, what is left out, and the explanation.
void print(const weft::planner::Plan& plan, const std::string& explanation);

/// Returns the whole ranking, with the explanation.
[[nodiscard]] nlohmann::json json_of(const weft::planner::Plan& plan, const std::string& explanation);

}  // namespace command
