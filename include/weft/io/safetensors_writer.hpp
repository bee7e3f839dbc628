// Writes tensors as safetensors.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "weft/core/dtype.hpp"
#include "weft/core/error.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

/// The bytes of a file of float32 tensors: the same tensors, the same bytes. Refused if a name is taken
/// by the format or is not UTF-8, or if a tensor has not as many numbers as its shape.
inline std::vector<std::byte> to_safetensors(const std::map<std::string, Tensor>& tensors,
                                             const std::map<std::string, std::string>& metadata = {}) {
  static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");
  constexpr auto reserved = "__metadata__";
  auto object = nlohmann::json::object();
  if (!metadata.empty()) object[reserved] = metadata;
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == reserved)
      refuse("a tensor cannot be called ", reserved, ": safetensors keep that name for themselves");
    if (element_count(tensor.shape) != tensor.size())
      refuse("tensor ", name, " has ", tensor.size(), " numbers and the shape ", to_string(tensor.shape));
    const auto begin = end;
    end += std::as_bytes(std::span(tensor.data)).size();
    object[name] = {{"dtype", name_of(Dtype::f32)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }

  std::string header;
  try {
    header = object.dump();
  } catch (const nlohmann::json::type_error&) {
    refuse("the names of tensors and the metadata of safetensors must be UTF-8");
  }
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned

  const std::uint64_t length = header.size();
  std::vector<std::byte> out(sizeof length + length + end);
  auto at = out.begin();
  const auto append = [&](std::span<const std::byte> bytes) {
    at = std::copy(bytes.begin(), bytes.end(), at);
  };
  append(std::as_bytes(std::span(&length, 1)));
  append(std::as_bytes(std::span(header)));
  for (const auto& [name, tensor] : tensors) append(std::as_bytes(std::span(tensor.data)));
  return out;
}

}  // namespace weft
