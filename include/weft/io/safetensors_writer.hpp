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
#include "weft/core/tensor.hpp"
#include "weft/io/json_value.hpp"

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

inline std::string entry_text(const Shape& shape, std::uint64_t begin, std::uint64_t end) {
  std::string extents;
  for (const Index extent : shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
  return object_text({{"data_offsets", sentence("[", begin, ",", end, "]")},
                      {"dtype", sentence('"', name_of(Dtype::f32), '"')},
                      {"shape", "[" + extents + "]"}});
}

}  // namespace detail

/// Returns the bytes of a file of float32 tensors; they depend on the arguments alone. Throws InvalidArgument
/// if a name is reserved by the format or is not UTF-8, or if a tensor does not have as many numbers as its
/// shape.
[[nodiscard]] inline std::vector<std::byte> to_safetensors(
    const std::map<std::string, Tensor>& tensors, const std::map<std::string, std::string>& metadata = {}) {
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
    if (element_count(tensor.shape) != tensor.size())
      reject("tensor ", name, " has ", tensor.size(), " numbers and the shape ", to_string(tensor.shape));
    const auto begin = end;
    end += std::as_bytes(std::span(tensor.data)).size();
    members.emplace(name, detail::entry_text(tensor.shape, begin, end));
  }

  std::string header = detail::object_text(members);
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned

  const std::uint64_t length = header.size();
  std::vector<std::byte> out(sizeof length + length + end);
  auto at = out.begin();
  const auto append = [&at](std::span<const std::byte> bytes) {
    at = std::copy(bytes.begin(), bytes.end(), at);
  };
  append(std::as_bytes(std::span(&length, 1)));
  append(std::as_bytes(std::span(header)));
  for (const auto& [name, tensor] : tensors) append(std::as_bytes(std::span(tensor.data)));
  return out;
}

}  // namespace weft::inline v0_1
