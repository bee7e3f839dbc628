// Elementwise operators on a CUDA device: activations, sums, differences, gated units and modulation.
#pragma once

#include <stdexcept>
#include <vector>

#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/operators.hpp"
#include "weft/elementwise.cuh"
#include "weft/sum_copies.cuh"

namespace weft::inline v0_1::cuda {

/// Applies an activation in place: x (rows, features).
template <class E>
void activate(Queue& queue, Activation activation, const View<E, 2>& x) {
  const auto span = queue.span(Work{"activate", {x.extent[0], x.extent[1]}, 0, 2 * x.size() * bytes_of<E>});
  if (activation == Activation::none) return;
  kernels::for_each_number(queue.stream(), x.extent[0], x.extent[1],
                           kernels::EndProduct<E, E>{View<const E, 2>(x), nullptr, activation, {}, x});
}

namespace detail {

/// Computes out = a + factor · b by an operator of that name.
template <class E>
void run_add(Queue& queue, const char* name, In<E, 2> a, In<E, 2> b, float factor, const View<E, 2>& out) {
  check_extents(name, out, {&a, &b});
  const auto span = queue.span(Work{name, {out.extent[0], out.extent[1]}, 0, 3 * out.size() * bytes_of<E>});
  kernels::for_each_number(queue.stream(), out.extent[0], out.extent[1], kernels::Add<E>{a, b, factor, out});
}

template <class E, class Out>
void run_gated_unit(Queue& queue, Activation activation, In<E, 2> gate, In<E, 2> value,
                    const View<Out, 2>& out) {
  check_extents("gated_unit", out, {&gate, &value});
  const auto span = queue.span(
      Work{"gated_unit", {out.extent[0], out.extent[1]}, 0, out.size() * (2 * bytes_of<E> + bytes_of<Out>)});
  kernels::for_each_number(queue.stream(), out.extent[0], out.extent[1],
                           kernels::GatedUnit<E, Out>{activation, gate, value, out});
}

template <class E, class Out>
void run_modulate(Queue& queue, In<E, 3> x, const Modulation& modulation, const View<Out, 3>& out) {
  check_extents("modulate", out, {&x});
  const auto span = queue.span(Work{"modulate",
                                    {out.extent[0] * out.extent[1], out.extent[2]},
                                    0,
                                    out.size() * (bytes_of<E> + bytes_of<Out>)});
  kernels::for_each_number(queue.stream(), out.extent[0] * out.extent[1], out.extent[2],
                           kernels::Modulate<E, Out>{x, factors_of(modulation.scale, modulation.step),
                                                     factors_of(modulation.shift, modulation.step), out});
}

}  // namespace detail

/// Computes out = a + b, all (rows, features); `out` may be a or b.
template <class E>
void add(Queue& queue, In<E, 2> a, In<E, 2> b, const View<E, 2>& out) {
  detail::run_add<E>(queue, "add", a, b, 1, out);
}

/// Computes out = a − b, all (rows, features); `out` may be a or b.
template <class E>
void subtract(Queue& queue, In<E, 2> a, In<E, 2> b, const View<E, 2>& out) {
  detail::run_add<E>(queue, "subtract", a, b, -1, out);
}

/// Sums copies of rows, all (rows, features), in their order and in float32, and stores the sum in each. They
/// may lie in the memory of GPUs that reach each other.
template <class E>
void sum_copies(Queue& queue, const std::vector<View<E, 2>>& copies) {
  using Batch = kernels::Copies<E>;
  if (copies.empty()) return;
  if (copies.size() > Batch::most)
    throw std::logic_error(
        sentence("sum_copies was given ", copies.size(), " copies; ", Batch::most, " is the most"));
  Batch batch;
  Index numbers = 0;
  for (const View<E, 2>& copy : copies) {
    const View<const E, 2> input = copy;
    check_extents("sum_copies", copies.front(), {&input});
    batch.copy[batch.count++] = copy;
    numbers += 2 * copy.size();
  }
  const auto span = queue.span(
      Work{"sum_copies", {copies.front().extent[0], copies.front().extent[1]}, 0, numbers * bytes_of<E>});
  kernels::sum_copies(queue.stream(), batch);
}

/// Computes a gated linear unit: out = value · activation(gate), all (rows, features); `out` may be the gate
/// or the value.
template <class E>
void gated_unit(Queue& queue, Activation activation, In<E, 2> gate, In<E, 2> value, const View<E, 2>& out) {
  detail::run_gated_unit<E>(queue, activation, gate, value, out);
}

/// Computes each image's modulation: x → out, both (tokens, images, features); `out` may be x.
template <class E>
void modulate(Queue& queue, In<E, 3> x, const Modulation& modulation, const View<E, 3>& out) {
  detail::run_modulate<E>(queue, x, modulation, out);
}

}  // namespace weft::inline v0_1::cuda
