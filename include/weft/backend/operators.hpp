// Arguments of operators other than views. The operators themselves are functions that a backend declares
// beside its Queue; host.hpp includes those of the host.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/core/activation.hpp"
#include "weft/core/error.hpp"
#include "weft/core/step.hpp"
#include "weft/core/tensor.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

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

/// An image's own factors of what a layer gives, at a step, as adaLN-Zero has them: Peebles and Xie,
/// "Scalable Diffusion Models with Transformers", 2022.
struct Gate {
  View<const float, 3> factors{};  // (steps, images, out), or empty: 1
  Step step{};

  bool empty() const { return factors.empty(); }
};

/// The epilogue of a linear layer: out = residual + gate · activation(product), for all types of operands and
/// output. The residual may be the output itself. Row r of a gated product is of image r % images.
template <class Element>
struct Epilogue {
  Activation activation = Activation::none;
  View<const Element, 2> residual{};  // (rows, out), or empty
  Gate gate{};

  /// Returns whether nothing follows the activation.
  bool ends_with_activation() const { return gate.empty() && residual.empty(); }
};

enum class NormKind {
  layer,  // takes the mean away: Ba et al., "Layer Normalization", 2016
  rms,    // leaves it: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019
};

/// A norm over the last dimension, affine where the vectors are not empty.
struct NormWeights {
  View<const float, 1> scale{};  // (features)
  View<const float, 1> shift{};  // (features)
  float epsilon = 1e-6f;
  NormKind kind = NormKind::layer;
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
/// `from`. On CUDA devices heads of a multiple of 8 features and vectors over them begin at multiples of 16
/// bytes; others are a logic error.
template <class Element>
struct HeadMove {
  View<const Element, 4> from{};  // (tokens, images, heads, head_dim)
  View<Element, 4> to{};          // (tokens, images, heads, head_dim)
  const NormWeights* norm = nullptr;
  Rotation rotation{};  // of these tokens

  /// Returns whether it does anything: heads that are not normed or rotated may be where they belong.
  bool is_needed() const { return norm || !rotation.cos.empty() || from.data != to.data; }
};

/// Where moves bring heads: to memory of their own rank alone, or to that of others too, on other devices.
enum class HeadsGo { to_own_memory, to_other_ranks };

/// A linear layer that has not been run yet. Its outputs hold heads, which views of heads refer to.
template <class Element, class Operand = Element>
struct HeadProjection {
  View<const Operand, 2> x{};               // (tokens × images, in)
  LinearWeights<Element, Operand> layer{};  // in → out
  View<Element, 2> out{};                   // (tokens × images, out)

  bool empty() const { return out.empty(); }
};

/// The heads that a block passes to attention: not yet normed or rotated, so that the policy that places them
/// can norm and rotate them as it moves them, nor computed if they have projections, so that it can move them
/// as they are computed. Attention may read them in place, and overwrite them.
template <class Element, class Operand = Element>
struct Heads {
  using Moves = std::vector<HeadMove<Element>>;
  using Projection = HeadProjection<Element, Operand>;

  View<Element, 4> q;                   // (tokens, images, heads, head_dim)
  View<Element, 4> k;                   // (tokens, images, key heads, head_dim)
  View<Element, 4> v;                   // (tokens, images, key heads, head_dim)
  const NormWeights* q_norm = nullptr;  // over head_dim; null: none
  const NormWeights* k_norm = nullptr;
  Rotation rotation{};                         // of these tokens
  Index prefix = 0;                            // how many of the tokens, the first, have norms of their own:
  const NormWeights* prefix_q_norm = nullptr;  // as q_norm
  const NormWeights* prefix_k_norm = nullptr;
  Projection projection{};         // computes the heads, or those after the prefix; empty: they are there
  Projection prefix_projection{};  // computes those of the prefix if they have a layer of their own

  /// Returns the projections that are not empty.
  std::vector<Projection> projections() const {
    std::vector<Projection> out;
    for (const Projection* one : {&projection, &prefix_projection})
      if (!one->empty()) out.push_back(*one);
    return out;
  }
  /// Computes the heads, if they are not there.
  void project(auto& queue) const {
    for (const Projection& one : projections()) linear(queue, one.x, one.layer, one.out);
  }

  /// Appends what brings the queries to `to`, normed and rotated.
  void move_q(const View<Element, 4>& to, Moves& moves) const { move(q, to, prefix_q_norm, q_norm, moves); }
  void move_k(const View<Element, 4>& to, Moves& moves) const { move(k, to, prefix_k_norm, k_norm, moves); }
  void move_v(const View<Element, 4>& to, Moves& moves) const { moves.push_back({v, to}); }

  // Parts are heads of the same memory without projections: these compute the whole, and once.

  /// Return some heads of queries with all those of keys, or some of keys and values with all of queries.
  Heads query_heads(Range range) const {
    Heads out = without_projections();
    out.q = q.template slice<2>(range);
    return out;
  }
  Heads key_heads(Range range) const {
    Heads out = without_projections();
    for (View<Element, 4>* part : {&out.k, &out.v}) *part = part->template slice<2>(range);
    return out;
  }
  /// Returns the heads of the tokens in `range`.
  Heads rows(Range range) const {
    Heads out = without_projections();
    for (View<Element, 4>* part : {&out.q, &out.k, &out.v}) *part = part->template slice<0>(range);
    out.rotation = rotation.rows(range);
    out.prefix = common({0, prefix}, range).size();
    return out;
  }

 private:
  Heads without_projections() const {
    Heads out = *this;
    out.projection = out.prefix_projection = {};
    return out;
  }

  void move(const View<Element, 4>& from, const View<Element, 4>& to, const NormWeights* first,
            const NormWeights* rest, Moves& moves) const {
    for (const auto& [norm, range] :
         {std::pair{first, Range{0, prefix}}, std::pair{rest, Range{prefix, from.extent[0]}}})
      if (!range.empty()) {
        const HeadMove<Element> one{from.template slice<0>(range), to.template slice<0>(range), norm,
                                    rotation.rows(range)};
        if (one.is_needed()) moves.push_back(one);
      }
  }
};

/// The heads of a model on a backend.
template <class Backend>
using HeadsOf = Heads<typename Backend::Element, typename Backend::Operand>;

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

/// Returns the memory for elements of which as_operands made that of these heads (tokens, images, heads,
/// head_dim), all of a row.
template <class Element, class Operand>
View<Element, 4> elements_of_heads(const View<Operand, 4>& x) {
  View<Element, 4> out(reinterpret_cast<Element*>(x.data), x.extent, x.stride);
  for (int d = 0; d < 2; ++d) out.stride[d] /= static_cast<Index>(sizeof(Element) / sizeof(Operand));
  return out;
}

/// Throws std::logic_error unless every input of an operator has the extents of its output.
template <class In, class Out, int Rank>
void check_extents(const char* name, const View<Out, Rank>& out,
                   std::initializer_list<const View<const In, Rank>*> inputs) {
  const auto text = [](const auto& view) { return to_string(Shape(view.extent.begin(), view.extent.end())); };
  for (const View<const In, Rank>* input : inputs)
    if (input->extent != out.extent)
      throw std::logic_error(sentence(name, " was given an input of ", text(*input), " and an output of ",
                                      text(out), "; both must have the same extents"));
}

/// Returns (tokens, images, features) as a matrix of tokens × images rows, which must be evenly spaced.
template <class T>
constexpr View<T, 2> rows_of(const View<T, 3>& x) {
  return {x.data, {x.extent[0] * x.extent[1], x.extent[2]}, {x.stride[1], 1}};
}

}  // namespace weft::inline v0_1
