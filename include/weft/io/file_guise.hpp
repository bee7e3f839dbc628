// Recognizing, by their first bytes, files that are not what their names say.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace weft::inline v0_1 {

namespace detail {

inline bool begins_with(std::span<const std::byte> bytes, std::string_view start) {
  return bytes.size() >= start.size() &&
         std::equal(start.begin(), start.end(), bytes.begin(),
                    [](char letter, std::byte byte) { return static_cast<std::byte>(letter) == byte; });
}

}  // namespace detail

/// Returns whether a file is a Git LFS pointer, which stands in place of a large file that has not been
/// fetched (github.com/git-lfs/git-lfs, docs/spec.md).
inline bool is_git_lfs_pointer(std::span<const std::byte> bytes) {
  return detail::begins_with(bytes, "version https://git-lfs.github.com/spec/");
}

/// Another format for tensors.
struct ForeignFormat {
  std::string_view start;  // first bytes of its files
  std::string_view name, remedy;
};

/// Returns the format of a file, or nothing if it is not a known one.
inline std::optional<ForeignFormat> foreign_format(std::span<const std::byte> bytes) {
  constexpr std::string_view torch_remedy = "save the tensors by save_file of Python's safetensors",
                             other_remedy = "take the weights that diffusers reads";
  constexpr std::array formats{
      ForeignFormat{"PK\x03\x04", "a zip archive, such as torch.save writes,", torch_remedy},
      ForeignFormat{"\x80", "a Python pickle, such as torch.save writes,", torch_remedy},
      ForeignFormat{"GGUF", "a GGUF file", other_remedy},
      ForeignFormat{"\x89HDF", "an HDF5 file", other_remedy},
      ForeignFormat{"\x1f\x8b", "compressed by gzip", "unpack it"},
      ForeignFormat{"<", "a page of the web or other markup", "download it again"}};
  const auto at = std::ranges::find_if(
      formats, [bytes](const ForeignFormat& format) { return detail::begins_with(bytes, format.start); });
  return at == formats.end() ? std::nullopt : std::optional(*at);
}

}  // namespace weft::inline v0_1
