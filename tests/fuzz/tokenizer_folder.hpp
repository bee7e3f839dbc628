// A folder whose files are the input of a fuzz target.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "weft/core/error.hpp"
#include "weft/text/tokenizer.hpp"

class FuzzedFolder {
 public:
  FuzzedFolder() {
    if (!::mkdtemp(path_.data())) __builtin_trap();
  }
  FuzzedFolder(const FuzzedFolder&) = delete;
  FuzzedFolder& operator=(const FuzzedFolder&) = delete;
  ~FuzzedFolder() { std::filesystem::remove_all(path_); }

  /// Writes the parts of `data`, which zero bytes separate, to the files; reads the tokenizer and encodes the
  /// part that is left. Traps unless all of it is valid or rejected.
  void encode(std::string_view data, std::span<const char* const> names) const {
    for (const char* name : names) {
      const std::string_view part = data.substr(0, data.find('\0'));
      data.remove_prefix(std::min(part.size() + 1, data.size()));
      write(name, part);
    }
    encode(data);
  }

  void write(const char* name, std::string_view content) const {
    std::ofstream(std::filesystem::path(path_) / name, std::ios::binary) << content;
  }

  /// Reads the tokenizer and encodes the prompt. Traps unless both are valid or rejected.
  void encode(std::string_view prompt) const {
    constexpr weft::Index length = 16;
    try {
      const auto tokenizer = weft::text::Tokenizer::read(path_);
      const auto [ids, mask] = tokenizer.encode(prompt, length);
      if (ids.size() != length || mask.size() != length || mask.front() != 1) __builtin_trap();
      for (const auto id : ids)
        if (id < 0) __builtin_trap();
    } catch (const weft::InvalidArgument&) {
    }
  }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "weft-fuzz-XXXXXX").string();
};
