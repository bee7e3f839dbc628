// Conformance of linear layers, against float64.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

#include "placed.hpp"
#include "weft/backend/operators.hpp"

namespace conformance {

using weft::Activation;

constexpr Activation activations[] = {Activation::none, Activation::gelu_tanh, Activation::silu,
                                      Activation::gelu, Activation::quick_gelu};

inline double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
  }
  return 0;
}

/// The memory of the residual: other memory of the output's strides or of others, or the output itself.
enum class Residual { none, elsewhere, other_strides, in_place };

struct LinearCase {
  Index rows, inputs, outputs;
  bool has_bias, has_scale;
  Residual residual;
  Activation activation;
  bool is_gated = false;
};

/// A check of inputs of type `In`, operands or elements, and outputs of type `Out`, which may be float32.
template <class B, class In, class Out>
class LinearCheck {
  using E = typename B::Element;
  using Queue = typename B::Queue;
  static constexpr bool scales = !std::is_same_v<In, E>;
  static constexpr Index images = 2, step = 1;
  using Memory = std::conditional_t<sizeof(Out) == 1, E, Out>;  // operands lie in the front of elements

 public:
  LinearCheck(Queue& queue, const LinearCase& asked)
      : asked_(asked),
        x_(Placed<B, In, 2>::random(queue, 1, {asked.rows, asked.inputs}, gap<In>)),
        weight_(Placed<B, In, 2>::random(queue, 2, {asked.outputs, asked.inputs}, gap<In>,
                                         1 / std::sqrt(static_cast<double>(asked.inputs)))),
        bias_(Placed<B, E, 1>::random(queue, 3, {asked.outputs})),
        scale_(Placed<B, float, 1>::random(queue, 4, {1})),
        residual_(Placed<B, E, 2>::random(queue, 5, {asked.rows, asked.outputs}, residual_gap())),
        gate_(Placed<B, float, 3>::random(queue, 7, {3, images, asked.outputs}, 4)),
        out_(Placed<B, Memory, 2>::random(queue, 6, {asked.rows, asked.outputs}, out_gap)) {}

  void run(Queue& queue) {
    weft::LinearWeights<E, In> weights{.weight = weight_.view()};
    if (asked_.has_bias) weights.bias = bias_.view();
    if constexpr (scales)
      if (asked_.has_scale) weights.scale = scale_.view();
    weft::Epilogue<E> epilogue{.activation = asked_.activation};
    if (asked_.is_gated) {
      epilogue.gate.factors = gate_.view();
      epilogue.gate.step.ahead = step;
    }
    if (asked_.residual == Residual::elsewhere || asked_.residual == Residual::other_strides)
      epilogue.residual = residual_.view();
    if constexpr (std::is_same_v<Memory, E>)
      if (asked_.residual == Residual::in_place) epilogue.residual = out_.view();
    const View<Out, 2> out = place();
    linear(queue, x_.view(), weights, out, epilogue);
    CHECK(error(out_.after(queue, out), [this](Index r, Index o) { return expected(r, o); }) <=
          rounding<Out>);
    CHECK(out_.gaps_untouched());
  }

 private:
  static constexpr Index out_gap =
      gap<std::conditional_t<sizeof(In) == 1, In, Out>>;  // FP8's rows are aligned

  Index residual_gap() const { return asked_.residual == Residual::other_strides ? out_gap + 4 : out_gap; }

  View<Out, 2> place() const {
    if constexpr (std::is_same_v<Memory, Out>) {
      return out_.view();
    } else {
      return weft::as_operands<Out>(out_.view());
    }
  }

  double expected(Index row, Index output) const {
    double sum = 0;
    for (Index i = 0; i < asked_.inputs; ++i)
      sum += number(x_.before()[row][i]) * number(weight_.before()[output][i]);
    if (scales && asked_.has_scale) sum *= number(scale_.before()[0]);
    if (asked_.has_bias) sum += number(bias_.before()[output]);
    sum = activated(asked_.activation, sum);
    if (asked_.is_gated) sum *= number(gate_.before()[step][row % images][output]);
    if (asked_.residual == Residual::in_place) return sum + number(out_.before()[row][output]);
    return asked_.residual == Residual::none ? sum : sum + number(residual_.before()[row][output]);
  }

  LinearCase asked_;
  Placed<B, In, 2> x_, weight_;
  Placed<B, E, 1> bias_;
  Placed<B, float, 1> scale_;
  Placed<B, E, 2> residual_;
  Placed<B, float, 3> gate_;  // (steps, images, outputs)
  Placed<B, Memory, 2> out_;
};

template <class B, class In, class Out>
void check_linear(typename B::Queue& queue) {
  constexpr bool in_place = sizeof(Out) == 1 || std::is_same_v<Out, typename B::Element>;
  const std::vector<std::array<Index, 3>> shapes =
      sizeof(In) == 1
          ? std::vector<std::array<Index, 3>>{{0, 16, 16}, {1, 16, 16}, {37, 48, 32}, {200, 176, 64}}
          : std::vector<std::array<Index, 3>>{{0, 18, 6}, {1, 18, 6}, {5, 20, 34}, {40, 72, 40}};
  for (const auto& [rows, inputs, outputs] : shapes)
    for (const bool has_bias : {false, true})
      for (const bool has_scale : {false, true})
        for (const Residual residual :
             {Residual::none, Residual::elsewhere, Residual::other_strides, Residual::in_place})
          for (const Activation activation : activations) {
            if (has_scale && std::is_same_v<In, typename B::Element>) continue;
            if (residual == Residual::in_place && !in_place) continue;
            CAPTURE(rows);
            CAPTURE(has_bias);
            CAPTURE(has_scale);
            CAPTURE(static_cast<int>(residual));
            CAPTURE(static_cast<int>(activation));
            for (const bool is_gated : {false, true}) {
              CAPTURE(is_gated);
              LinearCheck<B, In, Out>(
                  queue, {rows, inputs, outputs, has_bias, has_scale, residual, activation, is_gated})
                  .run(queue);
            }
          }
}

TEST_CASE_TEMPLATE_DEFINE("linear: residual + gate · activation(x · weightᵀ · scale + bias)", B,
                          linear_conformance) {
  using E = typename B::Element;
  using O = typename B::Operand;
  on_queues<B>([](typename B::Queue& queue) {
    check_linear<B, E, E>(queue);
    if constexpr (!std::is_same_v<E, float>) check_linear<B, E, float>(queue);
    if constexpr (!std::is_same_v<E, O>) {
      check_linear<B, O, E>(queue);
      check_linear<B, O, O>(queue);
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("linear: some of the outputs alone", B, linear_slice_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    const auto x = Placed<B, E, 2>::random(queue, 1, {3, 8}),
               weight = Placed<B, E, 2>::random(queue, 2, {10, 8});
    const auto bias = Placed<B, E, 1>::random(queue, 3, {10});
    for (const bool has_bias : {true, false}) {
      weft::LinearWeights<E> weights{.weight = weight.view()};
      if (has_bias) weights.bias = bias.view();
      Placed<B, E, 2> out(queue, {3, 4});
      linear(queue, x.view(), weights.slice({5, 9}), out.view());
      CHECK(error(out.after(queue), [&](Index r, Index o) {
              double sum = has_bias ? number(bias.before()[5 + o]) : 0;
              for (Index i = 0; i < 8; ++i)
                sum += number(x.before()[r][i]) * number(weight.before()[5 + o][i]);
              return sum;
            }) <= rounding<E>);
    }
  });
}

}  // namespace conformance
