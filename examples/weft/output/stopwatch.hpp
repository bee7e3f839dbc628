// The duration of phases.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace command {

class Stopwatch {
 public:
  explicit Stopwatch(bool prints = true) : prints_(prints) {}

  /// Prints how long the phase took, and starts the next.
  void lap(const std::string& phase) {
    const Clock::time_point now = Clock::now();
    if (prints_)
      std::printf("%s: %.2f s\n", phase.c_str(), std::chrono::duration<double>(now - start_).count());
    std::fflush(stdout);
    start_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool prints_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace command
