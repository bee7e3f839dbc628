// Output files that options name.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/spans.hpp"
#include "weft/io/output_file.hpp"

namespace command {

/// Returns the extension of a name in lower case, such as ".png".
inline std::string extension_of(const std::string& name) {
  std::string out = std::filesystem::path(name).extension().string();
  std::ranges::transform(out, out.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return out;
}

/// Throws InvalidArgument unless the name ends in `extension`, such as ".png", or has none.
inline void check_extension(std::string_view option, const std::string& name, std::string_view extension) {
  if (name == "-")
    weft::reject(option,
                 " - would be a file named -, since the command prints its own text to the standard output; ",
                 "name a file, such as out", extension);
  const std::string given = extension_of(name);
  if (given.empty() || given == extension) return;
  weft::reject(option, " is ", name, ", and what is written there is ", extension.substr(1), "; ",
               std::filesystem::path(name).replace_extension(extension).string(), " would do");
}

/// Returns the file of this option. Throws InvalidArgument if it cannot be written, or names another format.
[[nodiscard]] inline weft::OutputFile output_file(std::string_view option, const std::string& name,
                                                  std::string_view extension) {
  check_extension(option, name, extension);
  return weft::OutputFile(name);
}

/// Throws InvalidArgument if two of them are the same file.
inline void check_distinct(const std::vector<const weft::OutputFile*>& files) {
  std::set<std::filesystem::path> seen;
  for (const weft::OutputFile* file : files)
    if (!seen.insert(std::filesystem::weakly_canonical(file->path())).second)
      weft::reject("two outputs are to be written to ", file->path().string(),
                   "; give each a file of its own");
}

/// A writer of a command's files, one after the other.
class OutputWriter {
 public:
  /// Throws std::runtime_error if that fails, with the names of the files written before.
  void write(const weft::OutputFile& file, std::span<const std::byte> bytes) {
    try {
      file.commit(bytes);
    } catch (const std::runtime_error& error) {
      if (written_.empty()) throw;
      throw std::runtime_error(
          weft::sentence(error.what(), "; written before that: ", weft::listed(written_)));
    }
    written_.push_back(file.path().string());
  }
  void write(const weft::OutputFile& file, const std::string& text) { write(file, weft::bytes_of(text)); }

  const std::vector<std::string>& written() const { return written_; }

 private:
  std::vector<std::string> written_;
};

}  // namespace command
