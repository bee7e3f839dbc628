// LayerNorm over heads and rotary embedding, stored where attention reads them: 8 or 16 lanes a head.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "weft/check.cuh"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// The rotary embedding: cos and sin (tokens, head_dim).
struct Angles {
  const float* cos = nullptr;
  const float* sin = nullptr;
  Index cos_stride = 0, sin_stride = 0;

  bool moves_by(int numbers) const {
    return reinterpret_cast<std::uintptr_t>(cos) % vector_bytes == 0 &&
           reinterpret_cast<std::uintptr_t>(sin) % vector_bytes == 0 && cos_stride % numbers == 0 &&
           sin_stride % numbers == 0;
  }
  friend bool operator==(const Angles&, const Angles&) = default;
};

/// What is done to heads on their way.
struct HeadChange {
  bool norms = false, rotates = false;
  bool centers = true;           // the norm takes the mean away; RMSNorm leaves it
  const float* scale = nullptr;  // (head_dim), or null
  const float* shift = nullptr;
  float epsilon = 1e-6f;
  Angles angles{};

  bool moves_by(int numbers) const {
    return angles.moves_by(numbers) && reinterpret_cast<std::uintptr_t>(scale) % vector_bytes == 0 &&
           reinterpret_cast<std::uintptr_t>(shift) % vector_bytes == 0;
  }
  friend bool operator==(const HeadChange&, const HeadChange&) = default;
};

/// A move of one tensor's heads (tokens, images, heads, head_dim).
template <class E>
struct HeadMove {
  RowsOf<const E, 4> from;
  RowsOf<E, 4> to;
  HeadChange change{};

  bool moves_by(int numbers) const {
    return from.moves_by(numbers) && to.moves_by(numbers) && change.moves_by(numbers);
  }
};

/// The moves of one launch, as many as fit a kernel's parameters. Blocks take them in turn, so that stores to
/// this GPU and to others are under way at once.
template <class E>
struct HeadMoves {
  static constexpr int most = 24;
  HeadMove<E> move[most];
  int count = 0;

  __device__ const HeadMove<E>& of_block() const { return move[blockIdx.x % count]; }
  /// Returns the number of the block among those of its move.
  __device__ int block() const { return static_cast<int>(blockIdx.x) / count; }
};
static_assert(sizeof(HeadMoves<float>) <= parameter_bytes);

/// LayerNorm and rotation of a head, for the 8 features that one of its lanes holds, folded into
/// y = factor · x + partner_factor · (the other of x's pair) + addend of the normalised x. Unless `whole`,
/// the head may end among a lane's features, and nothing is aligned.
template <bool whole, int lanes>
struct HeadTransform {
  static constexpr int N = 8;

  int left;  // features of the head from the lane's first on
  bool active, norms, centers;
  float one_of_width, epsilon;
  float factor[N], partner_factor[N], addend[N];

  /// Makes the transform of a token's heads of `width` features, for those from `column` on.
  __device__ HeadTransform(const HeadChange& change, int width, int token, int column)
      : left(width - column),
        active(left > 0),
        norms(change.norms),
        centers(change.centers),
        one_of_width(1 / static_cast<float>(width)),
        epsilon(change.epsilon) {
    float scale[N], shift[N], cos[N], sin[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      scale[i] = cos[i] = 1;
      shift[i] = sin[i] = 0;
    }
    if (active && change.scale) load_own(change.scale + column, scale);
    if (active && change.shift) load_own(change.shift + column, shift);
    if (active && change.rotates) {
      load_own(change.angles.cos + token * change.angles.cos_stride + column, cos);
      load_own(change.angles.sin + token * change.angles.sin_stride + column, sin);
    }
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const int partner = i ^ 1;
      const float turn = i % 2 == 0 ? -sin[i] : sin[i];
      factor[i] = scale[i] * cos[i];
      partner_factor[i] = scale[partner] * turn;
      addend[i] = shift[i] * cos[i] + shift[partner] * turn;
    }
  }

  /// Returns whether the lane's feature i is one of the head.
  __device__ bool holds(int i) const { return whole || i < left; }

  /// Loads the lane's features of the head, and leaves the others.
  template <class T>
  __device__ void load_own(const T* from, float (&to)[N]) const {
    if constexpr (whole) {
      load(from, to);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i)
        if (holds(i)) to[i] = static_cast<float>(from[i]);
    }
  }

  /// Transforms x; all lanes must call it, with zeros beyond the head.
  __device__ void apply(float (&x)[N]) const {
    float inverse = 1;
    if (norms) {
      float sum = 0, squares = 0;
#pragma unroll
      for (int i = 0; i < N; ++i) sum += x[i];
      const float mean = centers ? sum_over_lanes<lanes>(sum) * one_of_width : 0;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        x[i] -= mean;
        if (holds(i)) squares += x[i] * x[i];
      }
      inverse = rsqrtf(sum_over_lanes<lanes>(active ? squares : 0) * one_of_width + epsilon);
    }
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const float even = x[i], odd = x[i + 1];
      x[i] = inverse * (factor[i] * even + partner_factor[i] * odd) + addend[i];
      x[i + 1] = inverse * (factor[i + 1] * odd + partner_factor[i + 1] * even) + addend[i + 1];
    }
  }
};

/// Moves heads: one warp takes all heads of a token of an image, a few at a time, so that it loads what they
/// share once; heads that are not `whole`, by 16 bytes, it takes in turn.
template <class E, bool whole, int lanes>
__global__ void move_heads(const __grid_constant__ HeadMoves<E> moves) {
  using Transform = HeadTransform<whole, lanes>;
  constexpr int N = Transform::N, heads_a_warp = warp_size / lanes, at_once = 4;
  const HeadMove<E>& move = moves.of_block();
  const int place = moves.block() * static_cast<int>(blockDim.y) + static_cast<int>(threadIdx.y),
            images = move.to.extent[1];
  const int token = place / images, image = place % images, heads = move.to.extent[2];
  if (token >= move.to.extent[0]) return;
  const int lane = static_cast<int>(threadIdx.x), column = lane % lanes * N;
  const Transform transform(move.change, move.to.width, token, column);
  const E* const from = move.from.data + token * move.from.stride[0] + image * move.from.stride[1] + column;
  E* const to = move.to.data + token * move.to.stride[0] + image * move.to.stride[1] + column;

  if constexpr (whole) {
    for (int first = lane / lanes; first - lane / lanes < heads; first += heads_a_warp * at_once) {
      Packed<N, E> packed[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int head = first + i * heads_a_warp;
        if (transform.active && head < heads) packed[i].load(from + head * move.from.stride[2]);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int head = first + i * heads_a_warp;
        float x[N];
        packed[i].widen(x);
        transform.apply(x);
        packed[i].narrow(x);
        if (transform.active && head < heads) packed[i].store(to + head * move.to.stride[2]);
      }
    }
  } else {
    for (int head = lane / lanes; head - lane / lanes < heads; head += heads_a_warp) {
      float x[N] = {};
      if (head < heads) transform.load_own(from + head * move.from.stride[2], x);
      transform.apply(x);
#pragma unroll
      for (int i = 0; i < N; ++i)
        if (head < heads && transform.holds(i)) to[head * move.to.stride[2] + i] = static_cast<E>(x[i]);
    }
  }
}

/// Launches the moves, all of as many images and of one head dimension, up to 128. Heads of a
/// multiple of 8 are aligned, and move by 16 bytes; others move number by number.
template <class E>
void launch_head_moves(cudaStream_t stream, const HeadMoves<E>& moves) {
  Index places = 0;  // tokens of images
  bool whole = true;
  for (const HeadMove<E>& move :
       std::span<const HeadMove<E>>(moves.move, static_cast<std::size_t>(moves.count))) {
    places = std::max(places, Index{move.to.extent[0]} * move.to.extent[1]);
    whole &= move.to.width % 8 == 0;
    if (move.to.width > 128 || (whole && !move.moves_by(8)))
      throw std::logic_error(
          sentence("heads of ", move.to.width, " features cannot be moved: up to 128 can, where ",
                   "multiples of 8 begin at multiples of 16 bytes, as their norms and angles do"));
  }
  if (places == 0) return;
  constexpr int warps = 4;
  const unsigned blocks = blocks_for(places, warps) * static_cast<unsigned>(moves.count);
  const bool is_narrow = moves.move[0].to.width <= 64;
  const auto kernel = !whole      ? move_heads<E, false, 16>
                      : is_narrow ? move_heads<E, true, 8>
                                  : move_heads<E, true, 16>;
  kernel<<<blocks, dim3(warp_size, warps), 0, stream>>>(moves);
  check(cudaGetLastError(), "launching heads");
}

}  // namespace weft::inline v0_1::kernels
