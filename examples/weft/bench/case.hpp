// What `bench` measures at a time.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "weft/comm/mesh.hpp"
#include "weft/policy/reuse.hpp"

namespace command {

/// A size of image, and the mesh it is measured on.
struct BenchCase {
  int px = 0;
  weft::Mesh mesh{};
  weft::Reuse reuse{};
};

/// Returns how many first steps are not timed: the warm-up, and the first one after it.
inline int unsteady_steps_of(const weft::Mesh& mesh) { return mesh.warmup + 1; }

/// Returns the cases in groups of one mesh.
inline std::vector<std::vector<BenchCase>> by_mesh(const std::vector<BenchCase>& sizes) {
  std::vector<std::vector<BenchCase>> out;
  for (const BenchCase& size : sizes) {
    const std::string mesh = name_of(size.mesh);
    const auto alike = std::ranges::find_if(
        out, [&mesh](const std::vector<BenchCase>& cases) { return name_of(cases.front().mesh) == mesh; });
    if (alike == out.end())
      out.push_back({size});
    else
      alike->push_back(size);
  }
  return out;
}

}  // namespace command
