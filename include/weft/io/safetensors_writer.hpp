// Writing tensors as safetensors.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/dtype.hpp"
#include "weft/core/error.hpp"
#include "weft/core/spans.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/json_value.hpp"
#include "weft/io/safetensors.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// Returns `text` as a JSON string. Throws InvalidArgument if it is not UTF-8.
inline std::string utf8_string(std::string_view text) {
  std::optional<std::string> string = json_string(text);
  if (!string) reject("the names of tensors and the metadata of safetensors must be UTF-8");
  return *std::move(string);
}

/// Returns the JSON object of members whose values are JSON text.
inline std::string object_text(const std::map<std::string, std::string>& members) {
  std::string out;
  for (const auto& [key, value] : members) out += (out.empty() ? "{" : ",") + utf8_string(key) + ":" + value;
  return out.empty() ? "{}" : out + "}";
}

inline std::string entry_text(const SafeTensors::Entry& tensor, std::uint64_t begin, std::uint64_t end) {
  std::string extents;
  for (const Index extent : tensor.shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
  return object_text({{"data_offsets", sentence("[", begin, ",", end, "]")},
                      {"dtype", sentence('"', name_of(tensor.dtype), '"')},
                      {"shape", "[" + extents + "]"}});
}

}  // namespace detail

/// Returns the bytes of a file of tensors; they depend on the arguments alone. Throws InvalidArgument if a
/// name is reserved by the format or is not UTF-8, or if a tensor has more or fewer numbers than its shape.
[[nodiscard]] inline std::vector<std::byte> entries_to_safetensors(
    const SafeTensors::Entries& tensors, const std::map<std::string, std::string>& metadata = {}) {
  static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");
  constexpr auto reserved = "__metadata__";
  std::map<std::string, std::string> members;  // JSON text
  if (!metadata.empty()) {
    std::map<std::string, std::string> strings;
    for (const auto& [key, value] : metadata) strings.emplace(key, detail::utf8_string(value));
    members.emplace(reserved, detail::object_text(strings));
  }
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == reserved)
      reject("a tensor cannot be called ", reserved, ": safetensors keep that name for themselves");
    const std::size_t bits = tensor.bytes.size() * 8;
    if (static_cast<std::size_t>(element_count(tensor.shape)) * bits_of(tensor.dtype) != bits)
      reject("tensor ", name, " has ", bits / bits_of(tensor.dtype), " numbers and the shape ",
             to_string(tensor.shape));
    const auto begin = end;
    end += tensor.bytes.size();
    members.emplace(name, detail::entry_text(tensor, begin, end));
  }

  std::string header = detail::object_text(members);
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned

  const std::uint64_t length = header.size();
  std::vector<std::byte> out(sizeof length + length + end);
  auto at = out.begin();
  const auto append = [&at](std::span<const std::byte> bytes) {
    at = std::copy(bytes.begin(), bytes.end(), at);
  };
  append(bytes_of(std::array{length}));
  append(bytes_of(header));
  for (const auto& [name, tensor] : tensors) append(tensor.bytes);
  return out;
}

/// Returns the bytes of a file of float32 tensors. Throws InvalidArgument as for entries.
[[nodiscard]] inline std::vector<std::byte> to_safetensors(
    const std::map<std::string, Tensor>& tensors, const std::map<std::string, std::string>& metadata = {}) {
  SafeTensors::Entries entries;
  for (const auto& [name, tensor] : tensors)
    entries.emplace(name, SafeTensors::Entry{{Dtype::f32, bytes_of(tensor.data)}, tensor.shape});
  return entries_to_safetensors(entries, metadata);
}

}  // namespace weft::inline v0_1
