// A report of `bench` as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "report.hpp"

namespace command {

/// Prints the rates of the device, a table a size, and the transfers, of steps with `images` images.
void print(const BenchReport& report, const std::string& dtype, int images);

/// Returns all figures that are printed, and the single times behind the medians.
[[nodiscard]] nlohmann::json json_of(const BenchReport& report, const std::string& dtype);

}  // namespace command
