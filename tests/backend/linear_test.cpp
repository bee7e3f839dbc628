#include "weft/backend/host/linear.hpp"

#include <doctest/doctest.h>

#include "strided.hpp"

using weft::Activation;
using weft::Epilogue;
using weft::LinearWeights;
using weft::Range;
using weft::host::Queue;

namespace {

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return 0;
}

struct Layer {
  Strided<2> weight;
  Strided<1> bias;

  Layer(Index out, Index in)
      : weight(Strided<2>::random(1, {out, in}, 3)), bias(Strided<1>::random(2, {out})) {}

  LinearWeights<float> weights(bool with_bias = true) const {
    return {weight.view(), with_bias ? bias.view() : View<const float, 1>()};
  }

  double at(const View<const float, 2>& x, Index row, Index output, bool with_bias = true) const {
    double sum = with_bias ? bias.view()[output] : 0;
    for (Index i = 0; i < x.extent[1]; ++i) sum += static_cast<double>(x[row][i]) * weight.view()[output][i];
    return sum;
  }
};

}  // namespace

TEST_CASE("linear: x · weightᵀ + bias, activated, for many and few rows") {
  for (const int workers : worker_counts) {
    Queue queue(workers);
    for (const Index rows : {0, 1, 5, 40})
      for (const Index outputs : {1, 7, 33})
        for (const Activation activation : {Activation::none, Activation::silu, Activation::gelu_tanh})
          for (const bool with_bias : {true, false}) {
            const Layer layer(outputs, 19);
            const auto x = Strided<2>::random(3, {rows, 19}, 2);
            Strided<2> out({rows, outputs}, 5);
            linear(queue, x.view(), layer.weights(with_bias), out.view(), {activation, {}});
            CHECK(error(out.view(), [&](Index r, Index o) {
                    return activated(activation, layer.at(x.view(), r, o, with_bias));
                  }) < rounding);
            CHECK(out.gaps_untouched());
          }
  }
}

TEST_CASE("linear: the residual is added after the activation, also in place") {
  for (const int workers : worker_counts)
    for (const Index rows : {2, 50})
      for (const bool in_place : {true, false}) {
        Queue queue(workers);
        const Layer layer(24, 8);
        const auto x = Strided<2>::random(4, {rows, 8}, 1), residual = Strided<2>::random(5, {rows, 24}, 4);
        Strided<2> out = in_place ? residual : Strided<2>({rows, 24}, 2);
        linear(queue, x.view(), layer.weights(), out.view(),
               {Activation::silu, in_place ? out.view() : residual.view()});
        CHECK(error(out.view(), [&](Index r, Index o) {
                return residual.view()[r][o] + activated(Activation::silu, layer.at(x.view(), r, o));
              }) < rounding);
        CHECK(out.gaps_untouched());
      }
}

TEST_CASE("linear: some of the outputs alone") {
  Queue queue;
  const Layer layer(10, 6);
  const auto x = Strided<2>::random(6, {3, 6});
  for (const bool with_bias : {true, false}) {
    Strided<2> out({3, 4});
    linear(queue, x.view(), layer.weights(with_bias).slice({5, 9}), out.view());
    CHECK(error(out.view(), [&](Index r, Index o) { return layer.at(x.view(), r, 5 + o, with_bias); }) <
          rounding);
  }
}

TEST_CASE("linear: without inputs only the bias is left") {
  Queue queue;
  const Layer layer(4, 0);
  Strided<2> out({3, 4});
  linear(queue, Strided<2>({3, 0}).view(), layer.weights(), out.view());
  CHECK(error(out.view(), [&](Index, Index o) { return layer.bias.view()[o]; }) == 0);
}

TEST_CASE("activate: in place, at extreme numbers too") {
  for (const int workers : worker_counts) {
    Queue queue(workers);
    for (const Activation activation : {Activation::none, Activation::silu, Activation::gelu_tanh}) {
      auto x = Strided<2>::random(7, {60, 5}, 3);
      x.view()[0][0] = -100, x.view()[1][0] = 100, x.view()[2][0] = 0, x.view()[3][0] = -1e30f;
      const auto before = x;
      activate(queue, activation, x.view());
      CHECK(error(x.view(), [&](Index r, Index c) { return activated(activation, before.view()[r][c]); }) <
            rounding);
      CHECK(x.gaps_untouched());
    }
    activate(queue, Activation::silu, View<float, 2>(nullptr, {0, 4}));
  }
}
