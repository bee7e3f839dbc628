// Sizes of kernels on which the cost model is checked.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/plan/kernels.hpp"
#include "weft/plan/model_work.hpp"

namespace command {

/// A product (m, k) × (k, n), or attention of m queries to n keys with k heads, counted over all images.
struct KernelSize {
  enum Kind { product, attention } kind;
  weft::Index m, n, k;

  static constexpr weft::Index head_dim = 88;

  friend bool operator==(const KernelSize&, const KernelSize&) = default;

  /// Returns the seconds that the cost model predicts.
  double predicted(const weft::planner::Gpu& gpu) const {
    return kind == product ? weft::planner::product_seconds(gpu, m, n, k, 2)
                           : weft::planner::attention_seconds(gpu, m, n, k, head_dim);
  }
};

/// Returns the sizes of a model's kernels for images of 512 to 2048 px on one to eight ranks, both branches
/// in one batch.
inline std::vector<KernelSize> kernel_sizes(const weft::planner::ModelWork& work) {
  constexpr weft::Index branches = 2;
  std::vector<KernelSize> sizes;
  const auto add = [&sizes](const KernelSize& size) {
    if (std::ranges::find(sizes, size) == sizes.end()) sizes.push_back(size);
  };
  for (const weft::Index rows : {128, 256, 512, 1024, 2048, 4096, 8192, 16384})
    for (weft::Index i = 0; i < work.shape().blocks; ++i)
      for (const weft::planner::Work& kernel : work.block(work.kind(i), {rows, 0, branches})) {
        if (kernel.kind == weft::planner::WorkKind::product)
          add({KernelSize::product, kernel.m, kernel.n, kernel.k});
        if (kernel.kind == weft::planner::WorkKind::attention)
          add({KernelSize::attention, kernel.m, kernel.n, kernel.k});
      }
  const weft::Index heads = branches * work.shape().heads;
  for (const weft::Index tokens : {1024, 4096, 16384})
    for (const weft::Index ranks : {1, 2, 4, 8}) {
      add({KernelSize::attention, tokens / ranks, tokens, heads});
      if (ranks > 1) add({KernelSize::attention, tokens, tokens, heads / ranks});
    }
  return sizes;
}

}  // namespace command
