// Arguments of operators other than views. The operators themselves are functions that a backend declares
// beside its Queue; host.hpp includes those of the host.
#pragma once

#include <type_traits>

#include "weft/core/activation.hpp"
#include "weft/core/step.hpp"
#include "weft/core/view.hpp"

namespace weft {

/// The scale of weights that need none.
struct Unscaled {};

/// A linear layer: x · weightᵀ · scale + bias, weight and bias as torch.nn.Linear stores them. Weights in a
/// narrower format than elements have a scale (1); an empty one stands for 1.
template <class Element, class Operand = Element>
struct LinearWeights {
  using Scale = std::conditional_t<std::is_same_v<Element, Operand>, Unscaled, View<const float, 1>>;

  View<const Operand, 2> weight{};  // (out, in)
  View<const Element, 1> bias{};    // (out), or empty
  Scale scale{};

  Index inputs() const { return weight.extent[1]; }
  Index outputs() const { return weight.extent[0]; }

  /// Returns the layer with the outputs of `range` alone.
  LinearWeights slice(Range range) const {
    return {weight.template slice<0>(range), bias.empty() ? bias : bias.template slice<0>(range), scale};
  }
};

/// The epilogue of a linear layer: out = residual + activation(product), for all types of operands and
/// output. The residual may be the output itself.
template <class Element>
struct Epilogue {
  Activation activation = Activation::none;
  View<const Element, 2> residual{};  // (rows, out), or empty
};

/// LayerNorm over the last dimension, affine where the vectors are not empty.
struct NormWeights {
  View<const float, 1> scale{};  // (features)
  View<const float, 1> shift{};  // (features)
  float epsilon = 1e-6f;
};

/// The modulation of a norm's output y by image and step: y · (1 + scale) + shift. Scale and shift may have
/// different strides.
struct Modulation {
  View<const float, 3> scale{};  // (steps, images, features), or empty
  View<const float, 3> shift{};  // (steps, images, features), or empty
  Step step{};
};

/// Rotary position embedding over interleaved pairs (2i, 2i + 1).
/// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
struct Rotation {
  View<const float, 2> cos{};  // (tokens, head_dim), or empty: no rotation
  View<const float, 2> sin{};  // (tokens, head_dim)

  /// Returns the rotation of the tokens in `range`.
  Rotation rows(Range range) const {
    return cos.empty() ? *this : Rotation{cos.slice<0>(range), sin.slice<0>(range)};
  }
};

/// A copy of heads that norms them over head_dim unless `norm` is null, then rotates them. `to` may be
/// `from`. On CUDA devices heads and vectors over head_dim begin at multiples of 16 bytes; others are a logic
/// error.
template <class Element>
struct HeadMove {
  View<const Element, 4> from{};  // (tokens, images, heads, head_dim)
  View<Element, 4> to{};          // (tokens, images, heads, head_dim)
  const NormWeights* norm = nullptr;
  Rotation rotation{};  // of these tokens
};

/// The heads that a block passes to attention: projected, not yet normed or rotated, so that the policy that
/// places them can norm and rotate them as it moves them. Attention may read them in place, and overwrite
/// them.
template <class Element>
struct Heads {
  View<Element, 4> q;                   // (tokens, images, heads, head_dim)
  View<Element, 4> k;                   // (tokens, images, heads, head_dim)
  View<Element, 4> v;                   // (tokens, images, heads, head_dim)
  const NormWeights* q_norm = nullptr;  // over head_dim; null: none
  const NormWeights* k_norm = nullptr;
  Rotation rotation{};  // of these tokens

  HeadMove<Element> move_q(const View<Element, 4>& to) const { return {q, to, q_norm, rotation}; }
  HeadMove<Element> move_k(const View<Element, 4>& to) const { return {k, to, k_norm, rotation}; }
  HeadMove<Element> move_v(const View<Element, 4>& to) const { return {v, to}; }

  /// Returns the heads in `range`.
  Heads heads(Range range) const {
    return {q.template slice<2>(range),
            k.template slice<2>(range),
            v.template slice<2>(range),
            q_norm,
            k_norm,
            rotation};
  }
  /// Returns the heads of the tokens in `range`.
  Heads rows(Range range) const {
    return {
        q.template slice<0>(range), k.template slice<0>(range), v.template slice<0>(range), q_norm, k_norm,
        rotation.rows(range)};
  }
};

/// Returns the part of x's memory that holds the operands of linear layers: all of it, or the front of each
/// row where operands are narrower than elements.
template <class Operand, class Element, int Rank>
View<Operand, Rank> as_operands(const View<Element, Rank>& x) {
  if constexpr (std::is_same_v<Operand, Element>) {
    return x;
  } else {
    View<Operand, Rank> out(reinterpret_cast<Operand*>(x.data), x.extent, x.stride);
    for (int d = 0; d < Rank - 1; ++d) out.stride[d] *= static_cast<Index>(sizeof(Element) / sizeof(Operand));
    return out;
  }
}

/// Returns (tokens, images, features) as a matrix of tokens × images rows, which must be evenly spaced.
template <class T>
constexpr View<T, 2> rows_of(const View<T, 3>& x) {
  return {x.data, {x.extent[0] * x.extent[1], x.extent[2]}, {x.stride[1], 1}};
}

}  // namespace weft
