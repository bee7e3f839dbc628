// Trace: what every rank did when, one lane a rank, in the format that Perfetto and chrome://tracing open.
#pragma once

#include <chrono>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/range.hpp"

namespace weft {

/// One rank's slices. Written by that rank's thread alone, read when the ranks have ended.
class Lane {
 public:
  using Clock = std::chrono::steady_clock;

  struct Slice {
    std::string name;
    const char* category;
    Clock::time_point begin, end;
    Index bytes = 0;  // of a transfer, or that an operator reads and writes
    double flop = 0;  // of an operator
  };

  void add(Slice slice) { slices_.push_back(std::move(slice)); }
  const std::vector<Slice>& slices() const { return slices_; }

 private:
  std::vector<Slice> slices_;
};

/// Records the time from its construction to its end; costs a branch where `lane` is null.
class Span {
 public:
  Span(Lane* lane, const char* category, const char* name, Index number = -1, Index bytes = 0) : lane_(lane) {
    if (!lane_) return;
    slice_ = {name, category, Lane::Clock::now(), {}, bytes};
    if (number >= 0) slice_.name += ' ' + std::to_string(number);
  }
  ~Span() {
    if (!lane_) return;
    slice_.end = Lane::Clock::now();
    lane_->add(std::move(slice_));
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Lane* lane_;
  Lane::Slice slice_{};
};

class Trace {
 public:
  explicit Trace(int ranks) : lanes_(ranks), start_(Lane::Clock::now()) {}

  Lane& lane(int rank) { return lanes_[rank]; }
  int ranks() const { return static_cast<int>(lanes_.size()); }
  const Lane& lane(int rank) const { return lanes_[rank]; }

  /// The Trace Event Format: one complete ("X") event a slice, times in microseconds from the start.
  std::string json() const {
    std::string out = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    for (int rank = 0; rank < ranks(); ++rank) {
      out += event_head("thread_name", "M", rank) + ", \"args\": {\"name\": \"rank " + std::to_string(rank) +
             "\"}}";
      for (const Lane::Slice& slice : lanes_[rank].slices()) out += ",\n" + event(slice, rank);
      out += rank + 1 < ranks() ? ",\n" : "\n";
    }
    return out + "]}\n";
  }

 private:
  static std::string event_head(const std::string& name, const char* phase, int rank) {
    return "{\"name\": " + quoted(name) + ", \"ph\": \"" + phase +
           "\", \"pid\": 0, \"tid\": " + std::to_string(rank);
  }

  std::string event(const Lane::Slice& slice, int rank) const {
    std::string out = event_head(slice.name, "X", rank) + ", \"cat\": " + quoted(slice.category);
    out += ", \"ts\": " + microseconds(slice.begin - start_) +
           ", \"dur\": " + microseconds(slice.end - slice.begin);
    if (slice.bytes > 0) out += ", \"args\": {\"bytes\": " + std::to_string(slice.bytes) + "}";
    return out + "}";
  }

  /// As a JSON string.
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
  Lane::Clock::time_point start_;
};

}  // namespace weft
