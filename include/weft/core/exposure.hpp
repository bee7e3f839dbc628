// Exposure: how much of the time that messages travel hides behind what ranks compute, read off a trace.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/core/trace.hpp"

namespace weft {

/// The transfers along one axis, of all ranks together.
struct Exposure {
  std::string axis;
  Index transfers = 0;
  Index bytes = 0;
  double seconds = 0;  // that they took
  double exposed = 0;  // of those, seconds in which the rank that waits for them computed nothing

  /// 0: all hide behind computation; 1: nothing computes meanwhile.
  double share() const { return seconds > 0 ? exposed / seconds : 0; }
};

/// When a rank computes: whenever a slice of its own is open, but for those in which it waits for others, or
/// itself moves what it sends and receives.
class ComputingTime {
 public:
  using Time = Lane::Clock::time_point;

  explicit ComputingTime(const Lane& lane) {
    std::map<Time, Change> changes;
    for (const Lane::Slice& slice : lane.slices()) {
      if (slice.category == "transfer") continue;
      const bool computes =
          slice.category != "wait" && slice.category != "send" && slice.category != "receive";
      const auto count = computes ? &Change::computing : &Change::waiting;
      Change &begin = changes[slice.begin], &end = changes[slice.end];
      begin.*count += 1;
      end.*count -= 1;
    }
    Change open;
    for (const auto& [time, change] : changes) {
      const bool before = open.is_busy();
      open.computing += change.computing, open.waiting += change.waiting;
      if (open.is_busy() && !before) intervals_.push_back({time, time});
      if (!open.is_busy() && before) intervals_.back().second = time;
    }
  }

  double seconds_between(Time begin, Time end) const {
    double sum = 0;
    auto at = std::ranges::upper_bound(intervals_, begin, {}, &Interval::second);
    for (; at != intervals_.end() && at->first < end; ++at)
      sum += std::chrono::duration<double>(std::min(end, at->second) - std::max(begin, at->first)).count();
    return sum;
  }

 private:
  using Interval = std::pair<Time, Time>;
  struct Change {
    int computing = 0, waiting = 0;

    bool is_busy() const { return computing > 0 && waiting == 0; }
  };

  std::vector<Interval> intervals_;  // in order, apart from each other
};

/// Returns the exposure of every axis with transfers, by name. A rank that computes during a transfer hides
/// it, if that is the rank that waits for it.
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
      const int waits = slice.awaited_by < 0 ? rank : slice.awaited_by;
      axis.transfers += 1, axis.bytes += slice.bytes, axis.seconds += seconds;
      axis.exposed +=
          seconds - computing[static_cast<std::size_t>(waits)].seconds_between(slice.begin, slice.end);
    }
  std::vector<Exposure> out;
  for (auto& [name, axis] : by_axis) {
    axis.axis = name;
    out.push_back(std::move(axis));
  }
  return out;
}

/// Such as "ring: 240 transfers of 12.6 MB in all took 5.20 ms, of which 4.1 % were exposed".
inline std::string to_string(const Exposure& axis) {
  char text[160];
  std::snprintf(text, sizeof text,
                "%s: %lld transfers of %.1f MB in all took %.2f ms, of which %.1f %% were exposed",
                axis.axis.c_str(), static_cast<long long>(axis.transfers),
                1e-6 * static_cast<double>(axis.bytes), 1e3 * axis.seconds, 100 * axis.share());
  return text;
}

}  // namespace weft
