// The progress of the steps: a bar on a terminal, ten lines elsewhere.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

#include "weft/core/range.hpp"

namespace command {

class Progress {
 public:
  explicit Progress(weft::Index steps) : steps_(steps), terminal_(::isatty(STDERR_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (has_open_line_) std::fputc('\n', stderr);
  }

  void show(weft::Index done) {
    constexpr weft::Index cells = 40, lines = 10;
    if (terminal_) {
      const auto full = static_cast<std::size_t>(cells * done / steps_);
      const std::string bar = std::string(full, '#') + std::string(cells - full, '.');
      std::fprintf(stderr, "\r[%s] step %lld of %lld", bar.c_str(), count(done), count(steps_));
      has_open_line_ = true;
    } else if (lines * done / steps_ != lines * (done - 1) / steps_) {
      std::fprintf(stderr, "step %lld of %lld\n", count(done), count(steps_));
    }
  }

 private:
  static long long count(weft::Index n) { return n; }

  weft::Index steps_;
  bool terminal_;
  bool has_open_line_ = false;
};

}  // namespace command
