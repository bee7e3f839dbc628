// How far a phase is, on standard error: a bar on a terminal; elsewhere the steps have ten lines.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "weft/core/error.hpp"
#include "weft/core/progress.hpp"

namespace command {

class Bar {
 public:
  enum class Unit { percent, step };

  /// `phase` is what stands beside the bar; the bar of steps has their number there.
  explicit Bar(std::string phase, Unit unit = Unit::percent)
      : phase_(std::move(phase)), unit_(unit), terminal_(::isatty(STDERR_FILENO) == 1) {
    if (terminal_ && unit == Unit::percent) show(0, 1);
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;
  ~Bar() {
    if (!shown_.empty()) std::fputc('\n', stderr);
  }

  void show(weft::Index done, weft::Index all) {
    constexpr weft::Index cells = 40, lines = 10;
    const std::string now = unit_ == Unit::percent ? weft::sentence(phase_, " ", 100 * done / all, " %")
                                                   : weft::sentence(phase_, " ", done, " of ", all);
    if (terminal_ && now != shown_) {
      const auto full = static_cast<std::size_t>(cells * done / all);
      const std::string bar = std::string(full, '#') + std::string(cells - full, '.');
      std::fprintf(stderr, "\r[%s] %s", bar.c_str(), now.c_str());
      shown_ = now;
    } else if (!terminal_ && unit_ == Unit::step && lines * done / all != lines * (done - 1) / all) {
      std::fprintf(stderr, "%s\n", now.c_str());
    }
  }

 private:
  std::string phase_;
  Unit unit_;
  bool terminal_;
  std::string shown_;  // beside the bar
};

/// Returns work(progress), whose progress a bar shows in the process that prints.
template <class Work>
auto with_bar(const std::string& phase, bool prints, const Work& work) {
  if (!prints) return work(weft::Progress());
  Bar bar(phase);
  return work(weft::Progress([&bar](weft::Index done, weft::Index all) { bar.show(done, all); }));
}

}  // namespace command
