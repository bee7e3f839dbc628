#include "report.hpp"

#include <numeric>

namespace command {

double RequestReport::beyond_steps_ms() const {
  return ms - std::accumulate(step_ms.begin(), step_ms.end(), 0.0);
}

void append(BenchReport& report, const BenchReport& more) {
  report.sizes.insert(report.sizes.end(), more.sizes.begin(), more.sizes.end());
  report.transfers.insert(report.transfers.end(), more.transfers.begin(), more.transfers.end());
}

}  // namespace command
