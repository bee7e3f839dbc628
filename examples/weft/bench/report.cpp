#include "report.hpp"

#include <numeric>

namespace command {

double RequestReport::beyond_steps_ms() const {
  return ms - std::accumulate(step_ms.begin(), step_ms.end(), 0.0);
}

}  // namespace command
