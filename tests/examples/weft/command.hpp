// The command as its users run it.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "../../io/temporary_folder.hpp"
#include "../../relative_error.hpp"
#include "weft/io/safetensors.hpp"

using Arguments = std::vector<std::string>;

inline const std::filesystem::path shapes = WEFT_SHAPES_DIR;
inline const std::filesystem::path goldens = WEFT_GOLDENS_DIR;
inline const std::filesystem::path hunyuan = goldens / "hunyuan_pipeline";
inline const std::string caption = "a red circle left of a blue square on gray";

struct Outcome {
  int code;
  std::string out, err;
};

/// Runs the command and returns its exit code and output. `before` precedes it on the line: a launcher, or
/// variables of the environment.
inline Outcome run(const Arguments& arguments, const std::string& before = "") {
  const TemporaryFolder output;
  std::string line = before + " '" WEFT_COMMAND "'";
  for (const std::string& argument : arguments) {
    line += " '";
    for (const char c : argument) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += "'";
  }
  line += " < /dev/null > " + (output / "out").string() + " 2> " + (output / "err").string();
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output.read("out"), output.read("err")};
}

inline Arguments operator+(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Checks for exit code 2 and one sentence with `text` on stderr.
inline void check_rejected(const Outcome& outcome, const std::string& text) {
  CAPTURE(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find(text) != std::string::npos);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

/// Checks the same of a command that would write a file, and that it has written none.
inline void check_rejected(const std::string& command, const Arguments& arguments, const std::string& text) {
  const TemporaryFolder folder;
  check_rejected(run(Arguments{command, "--out", folder / "out"} + arguments), text);
  CHECK(folder.count() == 0);
}

inline weft::Tensor tensor_in(const std::filesystem::path& file, const char* name) {
  return weft::SafeTensors(file).tensor(name);
}
