// The training steps of the denoising steps.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/sampler/scheduler_file.hpp"

namespace weft::inline v0_1 {

/// The choice of timesteps. Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023,
/// table 2.
enum class TimestepSpacing { leading, linspace, trailing };

struct TimestepConfig {
  TimestepSpacing spacing = TimestepSpacing::leading;
  int offset = 0;  // added to leading timesteps

  void read(const SchedulerFile& file) {
    file.read("timestep_spacing", spacing,
              {{"leading", TimestepSpacing::leading},
               {"linspace", TimestepSpacing::linspace},
               {"trailing", TimestepSpacing::trailing}});
    file.read("steps_offset", offset);
    if (offset < 0) file.reject("steps_offset is ", offset, " and must be at least 0");
  }
};

/// The timesteps that a scheduler chooses from.
struct TimestepRange {
  int train = 1000;  // number of training steps
  int last = train;  // only timesteps below are used
  int skipped = 0;   // least noisy timesteps that get no step
};

namespace detail {

/// Returns number i of numpy.linspace(first, last, count).
inline double linspace(double first, double last, int count, int i) {
  if (count == 1 || i == 0) return first;
  return i == count - 1 ? last : i * ((last - first) / (count - 1)) + first;
}

/// Rounds as numpy does: halves to the even number.
inline int rounded(double number) { return static_cast<int>(std::nearbyint(number)); }

/// Returns whether there are `steps` timesteps.
inline bool has_timesteps(const TimestepConfig& config, const TimestepRange& range, int steps) {
  if (steps < 1 || steps > range.train) return false;
  const int parts = steps + range.skipped;
  switch (config.spacing) {
    case TimestepSpacing::leading:
      return parts <= range.last && config.offset < range.train - (parts - 1) * (range.last / parts);
    case TimestepSpacing::linspace:
      return parts <= range.last;
    default:
      return range.last > 0;
  }
}

/// Throws InvalidArgument, which names the most steps that work, unless there are `steps` timesteps.
inline void check_steps(const TimestepConfig& config, const TimestepRange& range, int steps) {
  if (has_timesteps(config, range, steps)) return;
  int most = steps < 1 ? range.train : std::min(steps, range.train);
  while (most > 0 && !has_timesteps(config, range, most)) --most;
  if (most == 0)
    reject("no number of steps works with ", range.train, " training steps, of which ", range.last,
           " are used, and a steps_offset of ", config.offset);
  reject("steps is ", steps, " and must be from 1 to ", most, " for ", range.train, " training steps");
}

}  // namespace detail

/// Returns the timesteps of `steps` steps, noisiest first; fewer with trailing spacing where not all
/// timesteps are used. Throws InvalidArgument if there are not so many.
[[nodiscard]] inline std::vector<int> timesteps_of(const TimestepConfig& config, const TimestepRange& range,
                                                   int steps) {
  detail::check_steps(config, range, steps);
  const int parts = steps + range.skipped;
  std::vector<int> out;
  if (config.spacing == TimestepSpacing::trailing) {
    // numpy.arange(last, 0, -part) adds the difference of its first two numbers.
    const double part = static_cast<double>(range.train) / steps, begin = range.last;
    const double difference = begin - (begin - part);
    const int count = std::min(steps, static_cast<int>(std::ceil(begin / part)));
    for (int i = 0; i < count; ++i) out.push_back(std::max(detail::rounded(begin - i * difference) - 1, 0));
    return out;
  }
  for (int i = parts - 1; i >= range.skipped; --i)
    out.push_back(config.spacing == TimestepSpacing::leading
                      ? i * (range.last / parts) + config.offset
                      : detail::rounded(detail::linspace(0, range.last - 1, parts, i)));
  return out;
}

}  // namespace weft::inline v0_1
