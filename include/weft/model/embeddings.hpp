// What models make of times and other numbers before their first block.
#pragma once

#include <array>
#include <cmath>
#include <span>

#include "weft/backend/operators.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/layers.hpp"

namespace weft::inline v0_1 {

/// Returns the features of times as diffusers' Timesteps makes them: (numbers, features), cosines and then
/// sines of each number at frequencies that fall from 1 towards 1/10000.
inline Tensor sinusoids(std::span<const float> numbers, Index features = 256) {
  const Index half = features / 2;
  Tensor out({static_cast<Index>(numbers.size()), features});
  const View<float, 2> rows = out.view<2>();
  for (Index i = 0; i < half; ++i) {
    const float frequency = std::exp(-std::log(10000.0f) * static_cast<float>(i) / static_cast<float>(half));
    for (std::size_t n = 0; n < numbers.size(); ++n) {
      const View<float, 1> row = rows[static_cast<Index>(n)];
      row[i] = std::cos(numbers[n] * frequency);
      row[half + i] = std::sin(numbers[n] * frequency);
    }
  }
  return out;
}

/// Two linear layers with an activation between them.
template <class Element>
struct Mlp {
  LinearWeights<Element> first, second;

  Index outputs() const { return second.outputs(); }
};

/// Writes the layers' outputs of x (rows, inputs) to out (rows, outputs), or adds them to what is there.
template <class Backend, class Element = typename Backend::Element>
void apply(typename Backend::Queue& queue, const Mlp<Element>& mlp, Activation activation,
           const View<const Element, 2>& x, const View<Element, 2>& out, bool adds = false) {
  const Index rows = x.extent[0];
  const typename Backend::template Buffer<Element> hidden(queue, rows * mlp.first.outputs());
  const View<Element, 2> h = hidden.view(std::array{rows, mlp.first.outputs()});
  linear(queue, x, mlp.first, h, {.activation = activation});
  linear(queue, h, mlp.second, out,
         {.residual = adds ? View<const Element, 2>(out) : View<const Element, 2>()});
}

/// Does the same with numbers from the host: x (rows, inputs).
template <class Backend, class Element = typename Backend::Element>
void apply(typename Backend::Queue& queue, const Mlp<Element>& mlp, Activation activation, const Tensor& x,
           const View<Element, 2>& out, bool adds = false) {
  const auto on_device = constant<Backend, Element>(queue, x);
  apply<Backend>(queue, mlp, activation,
                 View<const Element, 2>(on_device.view(std::array{x.shape[0], x.shape[1]})), out, adds);
}

/// Does the same with the sinusoids of numbers.
template <class Backend, class Element = typename Backend::Element>
void apply_to_sinusoids(typename Backend::Queue& queue, const Mlp<Element>& mlp,
                        std::span<const float> numbers, const View<Element, 2>& out, bool adds = false) {
  const std::array<Index, 2> extents{static_cast<Index>(numbers.size()), mlp.first.inputs()};
  const auto x = constant<Backend, Element>(queue, extents[0] * extents[1],
                                            [&numbers, &extents] { return sinusoids(numbers, extents[1]); });
  apply<Backend>(queue, mlp, Activation::silu, View<const Element, 2>(x.view(extents)), out, adds);
}

/// Returns the layers' outputs of the sinusoids of times, in the host's memory: (times, outputs).
template <class Backend, class Element = typename Backend::Element>
Tensor embedded_sinusoids(typename Backend::Queue& queue, const Mlp<Element>& mlp,
                          std::span<const float> times) {
  const std::array<Index, 2> extents{static_cast<Index>(times.size()), mlp.outputs()};
  const typename Backend::template Buffer<Element> out(queue, extents[0] * extents[1]);
  apply_to_sinusoids<Backend>(queue, mlp, times, out.view(extents));
  return download(queue, View<const Element, 2>(out.view(extents)));
}

}  // namespace weft::inline v0_1
