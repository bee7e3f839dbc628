#include "report.hpp"

#include <algorithm>
#include <numeric>

namespace command {

double RequestReport::beyond_steps_ms() const {
  return ms - std::accumulate(step_ms.begin(), step_ms.end(), 0.0);
}

double SizeReport::typical_step_ms() const {
  if (!reuse.empty())
    return std::accumulate(step_ms.begin(), step_ms.end(), 0.0) / static_cast<double>(step_ms.size());
  std::vector<double> sorted = step_ms;
  std::ranges::sort(sorted);
  return sorted[sorted.size() / 2];
}

}  // namespace command
