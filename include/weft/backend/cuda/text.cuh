// Operators of text encoders on a CUDA device.
#pragma once

#include <stdexcept>
#include <type_traits>

#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/text_operators.hpp"
#include "weft/elementwise.cuh"
#include "weft/norm.cuh"
#include "weft/text_attention.cuh"

namespace weft::inline v0_1::cuda {

/// Adds a linear layer of x (rows, in) to the stream (rows, out).
template <class E>
void add_linear(Queue& queue, In<E, 2> x, const LinearWeights<E>& weights, const View<float, 2>& stream) {
  if constexpr (std::is_same_v<E, float>) {
    linear(queue, x, weights, stream, {.residual = stream});
  } else {
    if (stream.empty()) return;
    const Index rows = stream.extent[0], outputs = stream.extent[1], inputs = x.extent[1];
    const auto span = queue.span(Work{"add_linear",
                                      {rows, inputs, outputs},
                                      2.0 * static_cast<double>(rows * inputs * outputs),
                                      (rows + outputs) * inputs * bytes_of<E> + 2 * stream.size() * 4});
    if (!detail::run_product(queue, x, weights, stream, CUBLASLT_EPILOGUE_DEFAULT, stream.data))
      throw std::runtime_error(sentence("cuBLASLt has no sum with a product of ", rows, " rows, ", inputs,
                                        " → ", outputs, " features in this type"));
    if (!weights.bias.empty())
      kernels::for_each_number(
          queue.stream(), rows, outputs,
          kernels::EndProduct<E, float>{
              View<const float, 2>(stream), weights.bias.data, Activation::none, {}, stream});
  }
}

/// Computes a norm of the stream: x → out, both (tokens, images, features).
template <class E>
requires(sizeof(E) == 2) void norm(Queue& queue, const View<const float, 3>& x, const NormWeights& weights,
                                   const Modulation& modulation, const View<E, 3>& out) {
  const auto span = queue.span(Work{"norm",
                                    {out.extent[0] * out.extent[1], out.extent[2]},
                                    0,
                                    out.size() * (bytes_of<E> + bytes_of<float>)});
  kernels::norm<float, E>(queue.stream(), x, {}, detail::norm_constants(weights, modulation), out);
}

/// Computes softmax(scores) · v for every head: q, out (tokens, heads, head_dim); k, v
/// (keys, heads, head_dim), one key at least, those of the first tokens.
template <class E>
void text_attention(Queue& queue, In<E, 3> q, In<E, 3> k, In<E, 3> v, const TextScores& scores,
                    const View<E, 3>& out) {
  const auto as_image = []<class T>(const View<T, 3>& x) {
    return View<T, 4>(x.data, {x.extent[0], 1, x.extent[1], x.extent[2]},
                      {x.stride[0], x.stride[0], x.stride[1], 1});
  };
  const Index keys = k.extent[0];
  const auto span = queue.span(Work{"text_attention",
                                    {q.extent[0], keys, q.extent[1], q.extent[2]},
                                    4.0 * static_cast<double>(q.size()) * static_cast<double>(keys),
                                    (2 * q.size() + 2 * k.size()) * bytes_of<E>});
  const kernels::DistanceScores on_device{
      scores.bias.empty() ? nullptr : scores.bias.data, scores.bias.stride[0],
      static_cast<int>((scores.bias.extent[1] + 1) / 2), scores.is_causal};
  kernels::text_attention<E>(queue.stream(), as_image(q), as_image(k), as_image(v), scores.scale, on_device,
                             as_image(out));
}

}  // namespace weft::inline v0_1::cuda
