// Exposure: the part of transfer time that no computation hides, read from a trace.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

/// The transfers along one axis, of all ranks together.
struct Exposure {
  std::string axis;
  Index transfers = 0;
  Index bytes = 0;
  double seconds = 0;  // total duration
  double exposed = 0;  // of those, seconds in which the waiting rank computed nothing

  /// Returns the exposed fraction: 0 if computation hides all transfers, 1 if it hides none.
  double fraction() const { return seconds > 0 ? exposed / seconds : 0; }
};

/// The intervals in which a rank computes: some slice of its own is open, and none in which it waits, sends
/// or receives.
class ComputingTime {
 public:
  using Time = Lane::Clock::time_point;

  explicit ComputingTime(const Lane& lane) {
    std::map<Time, OpenSlices> changes;
    for (const Lane::Slice& slice : lane.slices()) {
      if (slice.category == "transfer") continue;
      const bool waits = slice.category == "wait" || slice.category == "send" || slice.category == "receive";
      const OpenSlices one = waits ? OpenSlices{.waiting = 1} : OpenSlices{.computing = 1};
      changes[slice.begin] += one;
      changes[slice.end] -= one;
    }
    OpenSlices open;
    for (const auto& [time, change] : changes) {
      const bool before = open.is_busy();
      open += change;
      if (open.is_busy() && !before) intervals_.push_back({time, time});
      if (!open.is_busy() && before) intervals_.back().end = time;
    }
  }

  /// Returns the seconds of computation from `begin` to `end`.
  double seconds_between(Time begin, Time end) const {
    double sum = 0;
    auto at = std::ranges::upper_bound(intervals_, begin, {}, &Interval::end);
    for (; at != intervals_.end() && at->begin < end; ++at)
      sum += std::chrono::duration<double>(std::min(end, at->end) - std::max(begin, at->begin)).count();
    return sum;
  }

 private:
  struct Interval {
    Time begin, end;
  };
  /// The numbers of open slices of either kind, or their changes at a time.
  struct OpenSlices {
    int computing = 0, waiting = 0;

    bool is_busy() const { return computing > 0 && waiting == 0; }
    OpenSlices& operator+=(const OpenSlices& more) {
      computing += more.computing;
      waiting += more.waiting;
      return *this;
    }
    OpenSlices& operator-=(const OpenSlices& less) {
      computing -= less.computing;
      waiting -= less.waiting;
      return *this;
    }
  };

  std::vector<Interval> intervals_;  // sorted, without overlaps
};

/// Returns the exposure of every axis with transfers, by name. A transfer is hidden while the rank that waits
/// for it computes.
inline std::vector<Exposure> exposures(const Trace& trace) {
  std::vector<ComputingTime> computing;
  for (int rank = 0; rank < trace.ranks(); ++rank) computing.emplace_back(trace.lane(rank));
  std::map<std::string, Exposure> by_axis;
  for (int rank = 0; rank < trace.ranks(); ++rank)
    for (const Lane::Slice& slice : trace.lane(rank).slices()) {
      const bool is_transfer =
          slice.category == "transfer" || slice.category == "send" || slice.category == "receive";
      if (!is_transfer || slice.bytes == 0) continue;
      Exposure& axis = by_axis[slice.name.substr(0, slice.name.find(' '))];
      const double seconds = std::chrono::duration<double>(slice.end - slice.begin).count();
      const int waiting = slice.awaited_by < 0 ? rank : slice.awaited_by;
      axis.transfers += 1;
      axis.bytes += slice.bytes;
      axis.seconds += seconds;
      axis.exposed +=
          seconds - computing[static_cast<std::size_t>(waiting)].seconds_between(slice.begin, slice.end);
    }
  std::vector<Exposure> out;
  for (auto& [name, axis] : by_axis) {
    axis.axis = name;
    out.push_back(std::move(axis));
  }
  return out;
}

/// Returns a sentence such as "ring: 240 transfers of 12.6 MB in all took 5.20 ms, of which 4.1 % were
/// exposed".
inline std::string to_string(const Exposure& axis) {
  char text[160];
  std::snprintf(text, sizeof text,
                "%s: %lld transfers of %.1f MB in all took %.2f ms, of which %.1f %% were exposed",
                axis.axis.c_str(), static_cast<long long>(axis.transfers),
                1e-6 * static_cast<double>(axis.bytes), 1e3 * axis.seconds, 100 * axis.fraction());
  return text;
}

}  // namespace weft::inline v0_1
