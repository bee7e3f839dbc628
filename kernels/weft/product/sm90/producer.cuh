// The thread that feeds the consumers of a matrix product on sm_90a.
#pragma once

#include "weft/product/sm90/layout.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// The thread that loads operands and residuals.
template <class L>
struct ProductProducer {
  using E = typename L::Element;

  typename L::Shared& shared;
  const OperandMaps& maps;
  const ProductProblem<E>& problem;
  const float* const gate = problem.gate();
  PipelineState<L::stages> state{};

  /// Waits until the stage is free, and returns its barrier, which expects so many bytes.
  __device__ Barrier& begin(int bytes) {
    shared.free[state.stage].wait(state.parity ^ 1);
    shared.full[state.stage].expect(bytes);
    return shared.full[state.stage];
  }

  __device__ void load_operands(const ProductItem& item) {
    constexpr int share = L::columns / L::cluster;
    const int from = cluster_rank() * share;
    int tap = item.begin / problem.depth_tiles, k = item.begin % problem.depth_tiles;
    for (int i = item.begin; i < item.end; ++i, state.advance()) {
      auto& [x, weight] = shared.stage[state.stage].operands;
      const auto [outer, inner] = problem.taps[tap];
      Barrier& full = begin(sizeof x + sizeof weight);
      load_box<1>(maps.x, x, full, item.outer + outer, item.inner + inner, k * L::depth);
      load_box<L::cluster>(maps.weight, weight[from], full, tap, item.column + from, k * L::depth);
      if (++k == problem.depth_tiles) {
        k = 0;
        ++tap;
      }
    }
  }

  __device__ void load_vectors(const ProductItem& item) {
    const Finish<E>& finish = problem.finish;
    auto& [bias, gates] = shared.stage[state.stage].vectors;
    const int columns = min(L::columns, problem.outputs - item.column),
              images = finish.gate.data ? static_cast<int>(finish.gate.images) : 0;
    const int bias_bytes = finish.bias ? columns * sizeof(E) : 0, gate_bytes = columns * sizeof(float);
    Barrier& full = begin(bias_bytes + images * gate_bytes);
    if (bias_bytes > 0) load_bytes(bias, finish.bias + item.column, bias_bytes, full);
    for (int image = 0; image < images; ++image)
      load_bytes(gates[image], gate + image * finish.gate.image_stride + item.column, gate_bytes, full);
    state.advance();
  }

  __device__ void load_residual(const ProductItem& item) {
    for (int first = 0; first < L::chunks; first += L::stage_chunks, state.advance()) {
      const int count = min(L::stage_chunks, L::chunks - first);
      Barrier& full = begin(count * sizeof(typename L::Chunk));
      for (int c = 0; c < count; ++c)
        for (int consumer = 0; consumer < L::consumers; ++consumer)
          load_box<1>(maps.residual, shared.stage[state.stage].residual[c][consumer], full,
                      item.outer + wgmma_rows * consumer / problem.box_inner,
                      item.inner + wgmma_rows * consumer % problem.box_inner,
                      item.column + (first + c) * box_columns);
    }
  }

  __device__ void run() {
    const int clusters = gridDim.x / L::cluster;
    for (int i = blockIdx.x / L::cluster; i < problem.items; i += clusters) {
      const ProductItem item(problem, i, L::rows, L::columns);
      load_operands(item);
      if (item.part > 0) continue;
      if (problem.has_vectors()) load_vectors(item);
      if (problem.finish.residual.data) load_residual(item);
    }
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
