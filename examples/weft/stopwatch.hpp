// How long a phase took.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace command {

class Stopwatch {
 public:
  /// One that `speaks` or not.
  explicit Stopwatch(bool speaks = true) : speaks_(speaks) {}

  /// Says so and starts anew.
  void lap(const std::string& phase) {
    const Clock::time_point now = Clock::now();
    if (speaks_)
      std::printf("%s: %.2f s\n", phase.c_str(), std::chrono::duration<double>(now - start_).count());
    std::fflush(stdout);
    start_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool speaks_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace command
