// Trace: a timeline of all ranks, one lane a rank, in the format that Perfetto and chrome://tracing open.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// One rank's timeline. Only that rank's thread writes it, and slices may be read once the rank has ended;
/// `doing` may be called from any thread at any time.
class Lane {
 public:
  using Clock = std::chrono::steady_clock;

  /// A named interval, as Perfetto calls it.
  struct Slice {
    std::string name;
    std::string category;
    Clock::time_point begin{}, end{};
    Index bytes = 0;      // of a transfer, or read and written by an operator
    double flop = 0;      // of an operator
    int awaited_by = -1;  // the rank that waits for a transfer; −1: the lane's own
  };

  /// How many inputs linear layers in FP8 have had, and how many of them were at the end of its range.
  struct Saturation {
    Index inputs = 0, saturated = 0;
  };

  /// A rank's current activity: its innermost open span.
  struct Activity {
    const char* category = "";  // a constant
    std::array<char, 40> name{};
    Index number = -1;
  };

  Lane() = default;
  /// Makes a lane that tracks the current activity and discards slices.
  [[nodiscard]] static Lane without_slices() { return Lane(false); }

  bool keeps_slices() const { return keeps_slices_; }
  void add(Slice slice) { slices_.push_back(std::move(slice)); }
  const std::vector<Slice>& slices() const { return slices_; }
  void add(const Saturation& more) {
    saturation_.inputs += more.inputs;
    saturation_.saturated += more.saturated;
  }
  const Saturation& saturation() const { return saturation_; }

  /// Makes `activity` the current one and returns the one before.
  Activity begin(const Activity& activity) {
    std::lock_guard lock(mutex_);
    return std::exchange(activity_, activity);
  }

  /// Returns the current activity, such as "wait ulysses" or "model block 12"; empty outside of all spans.
  std::string doing() const {
    std::lock_guard lock(mutex_);
    std::string out = activity_.category;
    if (out != activity_.name.data()) out += std::string(out.empty() ? "" : " ") + activity_.name.data();
    return activity_.number < 0 ? out : out + ' ' + std::to_string(activity_.number);
  }

 private:
  explicit Lane(bool keeps_slices) : keeps_slices_(keeps_slices) {}

  bool keeps_slices_ = true;
  std::vector<Slice> slices_;
  Saturation saturation_;
  mutable std::mutex mutex_;
  Activity activity_;
};

/// A scope on a lane, which becomes a slice when it ends. Does nothing if `lane` is null; the lane and the
/// texts must outlive it.
class [[nodiscard]] Span {
 public:
  Span(Lane* lane, const char* category, const char* name, Index number = -1, Index bytes = 0) : lane_(lane) {
    if (!lane_) return;
    Lane::Activity activity{.category = category, .number = number};
    std::snprintf(activity.name.data(), activity.name.size(), "%s", name);
    before_ = lane_->begin(activity);
    if (!lane_->keeps_slices()) return;
    slice_ = {name, category, Lane::Clock::now(), {}, bytes};
    if (number >= 0) slice_.name += ' ' + std::to_string(number);
  }
  ~Span() {
    if (!lane_) return;
    // An exception in flight leaves the activity as it is, so that reports can name what has failed.
    if (std::uncaught_exceptions() == exceptions_) lane_->begin(before_);
    if (!lane_->keeps_slices()) return;
    slice_.end = Lane::Clock::now();
    lane_->add(std::move(slice_));
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Lane* lane_;
  Lane::Activity before_;
  int exceptions_ = std::uncaught_exceptions();
  Lane::Slice slice_{};
};

/// The lanes of all ranks. It must outlive all that records on them; threads may write different lanes at
/// once.
class Trace {
 public:
  explicit Trace(int ranks) : lanes_(ranks) {}

  int ranks() const { return static_cast<int>(lanes_.size()); }

  /// Returns a rank's lane. Throws InvalidArgument if there is none.
  Lane& lane(int rank) { return lanes_[index_of(rank)]; }
  const Lane& lane(int rank) const { return lanes_[index_of(rank)]; }

  /// Returns the trace in the Trace Event Format: a row a rank, and another for transfers that ran beside it;
  /// one complete ("X") event a slice, times in microseconds from the first.
  std::string json() const {
    auto zero = Lane::Clock::time_point::max();
    for (const Lane& lane : lanes_)
      for (const Lane::Slice& slice : lane.slices()) zero = std::min(zero, slice.begin);
    std::string out = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    const char* separator = "";
    const auto add = [&out, &separator](const std::string& event) {
      out += std::exchange(separator, ",\n") + event;
    };
    for (int rank = 0; rank < ranks(); ++rank) {
      const std::string name = "rank " + std::to_string(rank);
      add(row_name(rank, name));
      bool has_transfers = false;
      for (const Lane::Slice& slice : lanes_[rank].slices()) {
        const bool is_transfer = slice.category == "transfer";
        const int row = is_transfer ? ranks() + rank : rank;
        if (is_transfer && !has_transfers) add(row_name(row, name + ", transfers"));
        has_transfers = has_transfers || is_transfer;
        add(event(slice, row, zero));
      }
    }
    out += '\n';
    return out + "]}\n";
  }

 private:
  std::size_t index_of(int rank) const {
    if (rank < 0 || rank >= ranks())
      reject("the trace has lanes for ", ranks(), " ranks and none for rank ", rank,
             "; make it with as many as the world has");
    return static_cast<std::size_t>(rank);
  }

  static std::string event_head(const std::string& name, const char* phase, int row) {
    return "{\"name\": " + quoted(name) + ", \"ph\": \"" + phase +
           "\", \"pid\": 0, \"tid\": " + std::to_string(row);
  }

  static std::string row_name(int row, const std::string& name) {
    return event_head("thread_name", "M", row) + ", \"args\": {\"name\": \"" + name + "\"}}";
  }

  static std::string event(const Lane::Slice& slice, int row, Lane::Clock::time_point zero) {
    std::string out = event_head(slice.name, "X", row) + ", \"cat\": " + quoted(slice.category);
    out += ", \"ts\": " + microseconds(slice.begin - zero) +
           ", \"dur\": " + microseconds(slice.end - slice.begin);
    if (slice.bytes > 0) out += ", \"args\": {\"bytes\": " + std::to_string(slice.bytes) + "}";
    return out + "}";
  }

  /// Returns `text` as a JSON string.
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char letter : text) {
      char escaped[8] = {letter};
      if (letter == '"' || letter == '\\') std::snprintf(escaped, sizeof escaped, "\\%c", letter);
      if (0 <= letter && letter < ' ') std::snprintf(escaped, sizeof escaped, "\\u%04x", letter);
      out += escaped;
    }
    return out + '"';
  }

  static std::string microseconds(Lane::Clock::duration time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", std::chrono::duration<double, std::micro>(time).count());
    return text;
  }

  std::deque<Lane> lanes_;
};

}  // namespace weft::inline v0_1
