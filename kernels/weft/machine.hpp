// Numbers of the hardware that kernels count in.
#pragma once

namespace weft::inline v0_1::kernels {

inline constexpr int warp_size = 32;
inline constexpr unsigned all_lanes = 0xffffffffu;  // the mask of a whole warp
inline constexpr int vector_bytes = 16;             // the widest load or store of a thread, and its alignment
inline constexpr int parameter_bytes = 4096;        // of a kernel's parameters

namespace sm90 {

inline constexpr int warpgroup_warps = 4, warpgroup_size = warpgroup_warps * warp_size;
inline constexpr int register_count = 65536;                       // of a multiprocessor
inline constexpr int shared_memory_bytes = 227 * 1024;             // of a block
inline constexpr int wgmma_rows = 64;                              // M of a warpgroup's matrix product
inline constexpr int warp_rows = 16;                               // those of one of its warps
inline constexpr int wgmma_depth = 16;                             // K, of 16-bit operands
inline constexpr int wgmma_bytes = 32;                             // of a row, that K takes
inline constexpr int descriptor_unit = 16;                         // bytes in which matrix descriptors count
inline constexpr int swizzle_bytes = 128;                          // of a row under the 128-byte swizzle
inline constexpr int swizzle_rows = 8;                             // after which its pattern repeats
inline constexpr int swizzle_span = swizzle_rows * swizzle_bytes;  // alignment of what is swizzled
inline constexpr int chunk_columns = 8;                // 16-bit numbers that the swizzle moves together
inline constexpr int box_columns = swizzle_bytes / 2;  // of a TMA box of 16-bit numbers
inline constexpr int most_box_rows = 256;              // of a TMA box

}  // namespace sm90

namespace sm100 {

inline constexpr int tensor_lanes = 128;    // of tensor memory, each of which a row of a matrix takes
inline constexpr int tensor_columns = 512;  // of 32 bits

}  // namespace sm100

}  // namespace weft::inline v0_1::kernels
