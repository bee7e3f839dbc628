// Sizes of kernels on which the cost model is checked.
#pragma once

#include <string>
#include <vector>

#include "weft/plan/kernels.hpp"

namespace command {

/// A product (m, k) × (k, n), or attention of m queries to n keys with k heads, counted over all images.
struct KernelSize {
  enum Kind { product, attention } kind;
  weft::Index m, n, k;

  static constexpr weft::Index head_dim = 88;

  /// Returns the seconds that the cost model predicts.
  double predicted(const weft::planner::Gpu& gpu) const {
    return kind == product ? weft::planner::product_seconds(gpu, m, n, k, 2)
                           : weft::planner::attention_seconds(gpu, m, n, k, head_dim);
  }
};

/// Returns the sizes of HunyuanDiT's kernels for images of 512 to 2048 px on one to eight ranks.
inline std::vector<KernelSize> kernel_sizes() {
  constexpr weft::Index width = 1408, ffn = 6144, text = 333, heads = 16, branches = 2;
  std::vector<KernelSize> sizes;
  for (const weft::Index rows : {256, 512, 1024, 2048, 4096, 8192, 16384, 32768}) {
    sizes.push_back({KernelSize::product, rows, 3 * width, width});
    sizes.push_back({KernelSize::product, rows, width, width});
    sizes.push_back({KernelSize::product, rows, width, 2 * width});
    sizes.push_back({KernelSize::product, rows, ffn, width});
    sizes.push_back({KernelSize::product, rows, width, ffn});
  }
  for (const weft::Index tokens : {1024, 4096, 16384})
    for (const weft::Index ranks : {1, 2, 4, 8}) {
      sizes.push_back({KernelSize::attention, tokens / ranks, tokens, branches * heads});
      sizes.push_back({KernelSize::attention, tokens / ranks, text, branches * heads});
      if (ranks > 1) sizes.push_back({KernelSize::attention, tokens, tokens, branches * heads / ranks});
    }
  return sizes;
}

}  // namespace command
