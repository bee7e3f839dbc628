// The layout of shared memory, and the order of tiles, of matrix products on sm_90a.
#pragma once

#include "weft/product/finish.cuh"
#include "weft/product/sm90/choice.hpp"
#include "weft/sm90/tma.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// A product as the kernel sees it. Rows are (outer, inner); a tile is `box_inner` of them side by side, and
/// product_rows / box_inner such rows below each other. The depth is that of all taps, one after the other,
/// each of which reads x from other rows on.
template <class E>
struct ProductProblem {
  int outer, inner, outputs;    // extents of the output
  int box_inner;                // rows of a tile side by side
  int inner_tiles;              // side by side
  int row_pairs, column_tiles;  // of tiles: those of clusters
  int depth_tiles, tap_count;
  Tap taps[most_taps];
  Finish<E> finish;
  int whole_tiles, last_tiles, parts, items;  // as of a ProductPlan
  PartialSums partial;

  /// Returns how many tiles lie beside and below each other.
  int row_tiles() const { return inner_tiles * ceil_div(outer, product_rows / box_inner); }
  __device__ bool has_vectors() const { return finish.bias || finish.gate.data; }
  /// Returns the gates of the step.
  __device__ const float* gate() const {
    return finish.gate.data ? finish.gate.data + finish.gate.step.index() * finish.gate.step_stride : nullptr;
  }
};

/// The tensor maps of what a product reads, and of its output.
struct OperandMaps {
  CUtensorMap x, weight, residual;
};
struct ProductMaps {
  OperandMaps operands;
  CUtensorMap out;
};

/// Everything that follows at compile time from the types, the columns of a tile, the boxes in which it is
/// written, how many of them a warp has, and the stages of the pipeline.
template <class OperandType, class ElementType, int Columns, int BoxColumns = box_columns, int Buffers = 2,
          int Stages = 4>
struct ProductLayout {
  using Operand = OperandType;
  using Element = ElementType;
  static constexpr int rows = product_rows, columns = Columns, consumers = 2, cluster = product_cluster;
  static constexpr int stages = Stages, buffers = Buffers;
  static_assert(rows == consumers * wgmma_rows);
  static constexpr int depth = swizzle_bytes / sizeof(Operand);  // of a stage
  static constexpr int threads = warpgroup_size * (consumers + 1);
  /// Returns whether warpgroups can have so many registers a thread: together no more than at the launch, in
  /// eights, or those that grow hang.
  static constexpr bool has_registers(int of_producer, int of_consumers) {
    return of_producer + consumers * of_consumers <=
           threads / warpgroup_size * (register_count / threads / 8 * 8);
  }
  static constexpr int producer_registers = 40, consumer_registers = 232;
  static_assert(has_registers(producer_registers, consumer_registers));

  // The output is finished and written in chunks of 64 columns. What finishes a tile comes through the
  // pipeline too, after its operands: bias and gates in a stage, then the residual, some chunks a stage.
  static constexpr int chunks = columns / box_columns;
  static constexpr int box_width = BoxColumns, box_octets = BoxColumns / 8,
                       box_bytes = BoxColumns * sizeof(Element);
  static constexpr bool is_swizzled = box_bytes == swizzle_bytes;
  static constexpr auto swizzle = is_swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE;
  static_assert(columns % BoxColumns == 0 && box_octets % 2 == 0);
  /// Returns the place of an octet in its row of a box. Rows of other than 128 bytes need no swizzle, since
  /// those in turn begin in other banks.
  static __device__ int place(int row, int octet) { return is_swizzled ? octet ^ row % swizzle_rows : octet; }
  using Chunk = Element[consumers][wgmma_rows][box_columns];
  struct Operands {
    alignas(swizzle_span) Operand x[rows][depth];
    alignas(swizzle_span) Operand weight[columns][depth];
  };
  static constexpr int stage_chunks = sizeof(Operands) / sizeof(Chunk);
  struct Vectors {
    Element bias[columns];
    float gates[most_gated_images][columns + 8];
  };
  union Stage {
    Operands operands;
    Vectors vectors;
    Chunk residual[stage_chunks];
  };

  struct Shared {
    alignas(swizzle_span) Stage stage[stages];
    alignas(swizzle_span) Element out[consumers * warpgroup_warps][buffers][warp_rows][BoxColumns];
    Barrier full[stages], free[stages];
  };
  static_assert(sizeof(Shared) <= shared_memory_bytes);

  static __device__ void init(Shared& s) {
    if (threadIdx.x == 0) {
      for (int i = 0; i < stages; ++i) {
        s.full[i].init(1);
        s.free[i].init(warpgroup_warps * consumers * cluster);
      }
      fence_barrier_init();
    }
    cluster_sync();
  }
};

/// What a block computes at a time: a tile from a row and column on, or a part of it, over some stages of the
/// depth.
struct ProductItem {
  int outer, inner, column;
  int part, begin, end;
  int split;  // the tile's number among those of several parts; −1: it is of one

  /// Returns an item of the cluster's. Parts other than a tile's first come before all first ones, which
  /// wait for them. Where not all clusters are resident at once, this relies on GPUs starting blocks in their
  /// order, as all do though CUDA does not promise it: so what is waited for has started.
  template <class E>
  __device__ ProductItem(const ProductProblem<E>& p, int item, int rows, int columns) {
    const int stages = p.depth_tiles * p.tap_count, in_last = item - p.whole_tiles;
    if (in_last < 0) {
      find_tile(p, item, rows, columns);
      split = -1;
      part = begin = 0;
      end = stages;
    } else {
      split = in_last % p.last_tiles;
      find_tile(p, p.whole_tiles + split, rows, columns);
      part = p.parts - 1 - in_last / p.last_tiles;
      begin = stages * part / p.parts;
      end = stages * (part + 1) / p.parts;
    }
  }

 private:
  /// Finds the cluster's `index`-th tile. Clusters that run at the same time share rows and columns: tiles
  /// are numbered through groups of rows, column by column.
  template <class E>
  __device__ void find_tile(const ProductProblem<E>& p, int index, int rows, int columns) {
    constexpr int group_pairs = 8;
    const int group = index / (group_pairs * p.column_tiles), first = group * group_pairs,
              pairs = min(group_pairs, p.row_pairs - first),
              in_group = index % (group_pairs * p.column_tiles);
    const int row_tile = (first + in_group % pairs) * product_cluster + cluster_rank();
    outer = row_tile / p.inner_tiles * (rows / p.box_inner);
    inner = row_tile % p.inner_tiles * p.box_inner;
    column = in_group / pairs * columns;
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
