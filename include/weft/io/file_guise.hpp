// What a file is that is not what its name says: told by its first bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace weft {

namespace detail {

inline bool begins_with(std::span<const std::byte> bytes, std::string_view start) {
  return bytes.size() >= start.size() &&
         std::equal(start.begin(), start.end(), bytes.begin(),
                    [](char letter, std::byte byte) { return static_cast<std::byte>(letter) == byte; });
}

}  // namespace detail

/// What Git leaves in the place of a large file that has not been fetched
/// (github.com/git-lfs/git-lfs, docs/spec.md).
inline bool is_git_lfs_pointer(std::span<const std::byte> bytes) {
  return detail::begins_with(bytes, "version https://git-lfs.github.com/spec/");
}

/// What weights in another format are, and what to do: the end of a sentence that begins with the file's
/// name. Nothing if the format is not known.
inline std::optional<std::string_view> foreign_format(std::span<const std::byte> bytes) {
  struct Format {
    std::string_view start, fault;
  };
  constexpr std::array formats{
      Format{"PK\x03\x04",
             " is a zip archive, such as torch.save writes, and no safetensors file; save the tensors by "
             "save_file of Python's safetensors"},
      Format{"\x80",
             " is a Python pickle, such as torch.save writes, and no safetensors file; save the tensors by "
             "save_file of Python's safetensors"},
      Format{"GGUF", " is a GGUF file and no safetensors file; take the weights that diffusers reads"},
      Format{"\x89HDF", " is an HDF5 file and no safetensors file; take the weights that diffusers reads"},
      Format{"\x1f\x8b", " is compressed by gzip; unpack it"},
      Format{"<", " is a page of the web or other markup and no safetensors file; download it again"}};
  const auto at = std::ranges::find_if(
      formats, [bytes](const Format& format) { return detail::begins_with(bytes, format.start); });
  if (at == formats.end()) return std::nullopt;
  return at->fault;
}

}  // namespace weft
