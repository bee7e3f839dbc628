// Number formats of safetensors, and their conversion to float32.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

enum class Dtype {
  f32,
  f16,
  bf16,
  f64,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  // Only their sizes are known: files may hold such tensors, but their numbers cannot be read.
  u16,
  u32,
  u64,
  c64,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f6_e2m3,
  f6_e3m2,
  f4,
};

struct DtypeTraits {
  Dtype dtype;
  std::string_view name;  // in a safetensors header
  std::size_t bits;
  bool is_readable;  // as float32
};

/// The traits of all dtypes, in the order of the enumeration.
constexpr std::array<DtypeTraits, 20> all_dtypes{{{Dtype::f32, "F32", 32, true},
                                                  {Dtype::f16, "F16", 16, true},
                                                  {Dtype::bf16, "BF16", 16, true},
                                                  {Dtype::f64, "F64", 64, true},
                                                  {Dtype::i64, "I64", 64, true},
                                                  {Dtype::i32, "I32", 32, true},
                                                  {Dtype::i16, "I16", 16, true},
                                                  {Dtype::i8, "I8", 8, true},
                                                  {Dtype::u8, "U8", 8, true},
                                                  {Dtype::boolean, "BOOL", 8, true},
                                                  {Dtype::u16, "U16", 16, false},
                                                  {Dtype::u32, "U32", 32, false},
                                                  {Dtype::u64, "U64", 64, false},
                                                  {Dtype::c64, "C64", 64, false},
                                                  {Dtype::f8_e4m3, "F8_E4M3", 8, false},
                                                  {Dtype::f8_e5m2, "F8_E5M2", 8, false},
                                                  {Dtype::f8_e8m0, "F8_E8M0", 8, false},
                                                  {Dtype::f6_e2m3, "F6_E2M3", 6, false},
                                                  {Dtype::f6_e3m2, "F6_E3M2", 6, false},
                                                  {Dtype::f4, "F4", 4, false}}};

static_assert([] {
  for (std::size_t i = 0; i < all_dtypes.size(); ++i)
    if (static_cast<std::size_t>(all_dtypes[i].dtype) != i) return false;
  return true;
}());

constexpr const DtypeTraits& traits_of(Dtype type) { return all_dtypes[static_cast<std::size_t>(type)]; }

constexpr std::size_t bits_of(Dtype type) { return traits_of(type).bits; }

/// Returns the bytes of a number of a readable dtype.
constexpr std::size_t size_of(Dtype type) { return bits_of(type) / 8; }

/// Returns the name in a safetensors header.
constexpr std::string_view name_of(Dtype type) { return traits_of(type).name; }

/// Returns whether `to_float` converts it.
constexpr bool is_readable(Dtype type) { return traits_of(type).is_readable; }

/// Throws InvalidArgument, naming `what` and the readable dtypes, unless `type` is one of them.
inline void check_readable(Dtype type, std::string_view what) {
  if (is_readable(type)) return;
  std::vector<std::string> readable;
  for (const DtypeTraits& traits : all_dtypes)
    if (traits.is_readable) readable.emplace_back(traits.name);
  reject(what, " has dtype ", name_of(type), "; ", listed(readable), " can be read");
}

constexpr float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// Converts IEEE binary16, subnormals, infinities and NaN included, without a branch.
constexpr float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t magnitude = std::uint32_t{bits & 0x7fffu} << 13;
  const std::uint32_t special = magnitude >= 0x7c00u << 13 ? 0x7f800000u : 0;  // infinities and NaN
  // The exponent is 112 too small; the product corrects it, for subnormals too.
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  return std::bit_cast<float>(sign | special | std::bit_cast<std::uint32_t>(scaled));
}

/// Converts `count` numbers of `type` at `source` (no alignment needed) to float32; true becomes 1. Throws
/// InvalidArgument if `type` is not readable.
inline void to_float(Dtype type, const std::byte* source, std::size_t count, float* out) {
  const auto convert = [source, count, out]<class Stored>(Stored, const auto& number) {
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, source + i * sizeof value, sizeof value);
      out[i] = number(value);
    }
  };
  const auto cast = [](auto value) { return static_cast<float>(value); };
  switch (type) {
    case Dtype::f32:
      std::memcpy(out, source, count * sizeof(float));
      break;
    case Dtype::f16:
      convert(std::uint16_t{}, f16_to_float);
      break;
    case Dtype::bf16:
      convert(std::uint16_t{}, bf16_to_float);
      break;
    case Dtype::f64:
      convert(double{}, cast);
      break;
    case Dtype::i64:
      convert(std::int64_t{}, cast);
      break;
    case Dtype::i32:
      convert(std::int32_t{}, cast);
      break;
    case Dtype::i16:
      convert(std::int16_t{}, cast);
      break;
    case Dtype::i8:
      convert(std::int8_t{}, cast);
      break;
    case Dtype::u8:
      convert(std::uint8_t{}, cast);
      break;
    case Dtype::boolean:
      convert(std::uint8_t{}, [](std::uint8_t value) { return value != 0 ? 1.0f : 0.0f; });
      break;
    default:
      check_readable(type, "what is to become float32");
  }
}

}  // namespace weft::inline v0_1
