// Sizes in bytes, as text.
#pragma once

#include <string>

#include "weft/plan/explanation.hpp"

namespace weft::inline v0_1::planner {

/// A unit for sizes in bytes: MB or GB, by the largest of them.
struct SizeUnit {
  double bytes;
  const char* name;

  explicit SizeUnit(double largest) : bytes(largest < 1e9 ? 1e6 : 1e9), name(largest < 1e9 ? " MB" : " GB") {}

  std::string number(double size) const { return planner::number("%.3g", size / bytes); }
};

inline std::string size_of(double bytes) {
  const SizeUnit unit(bytes);
  return unit.number(bytes) + unit.name;
}

}  // namespace weft::inline v0_1::planner
