// Number formats of weight files, and their conversion to float32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weft {

enum class Dtype { f32, f16, bf16, i64 };

constexpr std::size_t size_of(Dtype type) {
  switch (type) {
    case Dtype::i64:
      return 8;
    case Dtype::f32:
      return 4;
    default:
      return 2;
  }
}

/// The name in a safetensors header.
constexpr std::string_view name_of(Dtype type) {
  switch (type) {
    case Dtype::f32:
      return "F32";
    case Dtype::f16:
      return "F16";
    case Dtype::bf16:
      return "BF16";
    default:
      return "I64";
  }
}

constexpr float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// IEEE binary16; subnormals, infinities and NaN included.
constexpr float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // Shifted into place the exponent is 112 too small; the product mends it, subnormals too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(scaled));
}

/// `count` numbers of `type` at `source` (no alignment needed) as float32.
inline void to_float(Dtype type, const std::byte* source, std::size_t count, float* out) {
  const auto convert = [source, count, out]<class Stored>(auto&& number) {
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, source + i * sizeof value, sizeof value);
      out[i] = number(value);
    }
  };
  switch (type) {
    case Dtype::f32:
      std::memcpy(out, source, count * sizeof(float));
      break;
    case Dtype::f16:
      convert.template operator()<std::uint16_t>(f16_to_float);
      break;
    case Dtype::bf16:
      convert.template operator()<std::uint16_t>(bf16_to_float);
      break;
    case Dtype::i64:
      convert.template operator()<std::int64_t>([](std::int64_t v) { return static_cast<float>(v); });
      break;
  }
}

}  // namespace weft
