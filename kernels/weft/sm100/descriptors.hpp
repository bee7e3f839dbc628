// The descriptors by which matrix products on sm_100 name what they multiply: "Shared Memory Descriptor" and
// "Instruction Descriptor" of PTX's tcgen05.
#pragma once

#include <cstdint>

#include "weft/core/host_device.hpp"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels::sm100 {

/// Returns the descriptor of a matrix in shared memory from `address` on. It consists of TMA boxes with rows
/// of 128 bytes under the 128-byte swizzle; `box_bytes` is the distance between boxes, if the product spans
/// several.
WEFT_HOST_DEVICE constexpr std::uint64_t matrix_descriptor(std::uint32_t address,
                                                           int box_bytes = sm90::descriptor_unit) {
  constexpr std::uint64_t version = 1, swizzle_of_128_bytes = 2, unit = sm90::descriptor_unit;
  constexpr std::uint32_t address_bits = 0x3ffff;
  return (address & address_bits) / unit | box_bytes / unit << 16 | sm90::swizzle_span / unit << 32 |
         version << 46 | swizzle_of_128_bytes << 61;
}

/// Which way the rows of a right operand go: along the sum, as keys do, or along the columns of the result,
/// as values do.
enum class Rows { along_sum, along_columns };

/// Returns the descriptor of products (128, 16) · (16, `columns`) with float32 sums, of bfloat16 or float16.
constexpr std::uint32_t product_descriptor(bool bfloat16, int columns, Rows rows) {
  constexpr std::uint32_t float32 = 1;
  const std::uint32_t type = bfloat16;
  return float32 << 4 | type << 7 | type << 10 | std::uint32_t{rows == Rows::along_columns} << 16 |
         static_cast<std::uint32_t>(columns) / 8 << 17 | std::uint32_t{tensor_lanes} / 16 << 24;
}

}  // namespace weft::inline v0_1::kernels::sm100
