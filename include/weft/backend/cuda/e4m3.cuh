// Linear layers in e4m3 between activations in bfloat16: the norm or the activation before writes their input
// in e4m3.
// Micikevicius et al., "FP8 Formats for Deep Learning", 2022.
#pragma once

#include <cuda_fp8.h>

#include <concepts>

#include "weft/backend/cuda/attention.cuh"
#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/check.cuh"
#include "weft/backend/cuda/elementwise.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/e4m3.cuh"

namespace weft::inline v0_1::cuda {

/// Quantizes weights to e4m3 times one scale, which must be 0 before: from, to (out, in); scale (1). Throws
/// InvalidArgument if a width is no multiple of 16.
inline void narrow_weights(Queue& queue, const View<const __nv_bfloat16, 2>& from,
                           const View<__nv_fp8_e4m3, 2>& to, const View<float, 1>& scale) {
  check_e4m3_layer(from.extent[1], from.extent[0]);
  kernels::quantize(queue.stream(), from.data, from.size(), to.data, scale.data);
}

/// Converts x to out, both (rows, features). A row of out may begin where that of x does.
inline void narrow(Queue& queue, const View<const __nv_bfloat16, 2>& x, const View<__nv_fp8_e4m3, 2>& out) {
  const auto span = queue.span(Work{"narrow", {out.extent[0], out.extent[1]}, 0, 3 * out.size()});
  kernels::narrow<__nv_bfloat16>(queue.stream(), x, out);
}

// Templates, so that a program without FP8 compiles none of their kernels.

/// Computes `norm` with an output in e4m3.
template <std::same_as<__nv_fp8_e4m3> O>
void norm(Queue& queue, const View<const __nv_bfloat16, 3>& x, const NormWeights& weights,
          const Modulation& modulation, const View<O, 3>& out) {
  const auto span =
      queue.span(Work{"norm_e4m3", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 3 * out.size()});
  kernels::norm<__nv_bfloat16, O>(queue.stream(), x, {}, detail::norm_constants(weights, modulation), out);
}

/// Computes `norm_pair` with an output in e4m3.
template <std::same_as<__nv_fp8_e4m3> O>
void norm_pair(Queue& queue, const View<const __nv_bfloat16, 3>& x, const View<const __nv_bfloat16, 3>& skip,
               const NormWeights& weights, const View<O, 3>& out) {
  const auto span =
      queue.span(Work{"norm_pair_e4m3", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 3 * out.size()});
  kernels::norm<__nv_bfloat16, O>(queue.stream(), x, skip, detail::norm_constants(weights), out);
}

/// Computes `gated_unit` with an output in e4m3, in memory of its own.
template <std::same_as<__nv_fp8_e4m3> O>
void gated_unit(Queue& queue, Activation activation, const View<const __nv_bfloat16, 2>& gate,
                const View<const __nv_bfloat16, 2>& value, const View<O, 2>& out) {
  detail::run_gated_unit<__nv_bfloat16>(queue, activation, gate, value, out);
}

/// Computes `modulate` with an output in e4m3, in memory of its own.
template <std::same_as<__nv_fp8_e4m3> O>
void modulate(Queue& queue, const View<const __nv_bfloat16, 3>& x, const Modulation& modulation,
              const View<O, 3>& out) {
  detail::run_modulate<__nv_bfloat16>(queue, x, modulation, out);
}

/// Computes attention with an output in e4m3, of the numbers in bfloat16 that it would be otherwise. What is
/// to be merged with further keys stays in bfloat16: throws std::logic_error.
template <std::same_as<__nv_fp8_e4m3> O, int... HeadDims>
void attention(QueueFor<HeadDims...>& queue, In<__nv_bfloat16, 4> q, In<__nv_bfloat16, 4> k,
               In<__nv_bfloat16, 4> v, const Stretches<O, 4>& out, const View<float, 3>& lse = {},
               Output output = Output::replace, const KeyMask& mask = {}) {
  using E = __nv_bfloat16;
  kernels::check_merged_type<E, O>(output);
  const auto run_if = [&]<int head_dim>() {
    if (q.extent[3] != head_dim) return false;
    const auto span = queue.span(detail::attention_work<E>("attention", q, k));
    kernels::attention<head_dim, E>(queue.stream(), q, k, v, out, lse, output, mask);
    return true;
  };
  if ((run_if.template operator()<HeadDims>() || ...)) return;
  const Buffer<E> memory(queue, q.size());
  const View<E, 4> elements = memory.view(q.extent);
  attention(queue, q, k, v, elements, lse, output, mask);
  out.for_each([&queue, &elements](const View<O, 4>& view, Range rows) {
    const auto of_image = []<class T>(const View<T, 4>& heads, Index image) {
      return View<T, 2>(heads.data + image * heads.stride[1],
                        {heads.extent[0], heads.extent[2] * heads.extent[3]}, {heads.stride[0], 1});
    };
    for (Index image = 0; image < view.extent[1]; ++image)
      narrow(queue, of_image(View<const E, 4>(elements.slice<0>(rows)), image), of_image(view, image));
  });
}

namespace detail {

using E4m3Weights = LinearWeights<__nv_bfloat16, __nv_fp8_e4m3>;

/// With a trace, counts the inputs of a layer that are saturated.
inline void count_saturated(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x) {
  if (Timeline* const timeline = queue.timeline())
    kernels::for_each_number(queue.stream(), x.extent[0], x.extent[1],
                             kernels::CountSaturated{x, timeline->count_inputs(x.size())});
}

/// Returns the span of a product that reads and writes `bytes_an_output` for each output.
inline Span span_of_e4m3(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, Index outputs,
                         Index bytes_an_output) {
  const Index rows = x.extent[0], inputs = x.extent[1];
  return queue.span(Work{"linear_e4m3",
                         {rows, inputs, outputs},
                         2.0 * static_cast<double>(rows * inputs * outputs),
                         rows * inputs + inputs * outputs + rows * outputs * bytes_an_output});
}

}  // namespace detail

/// Computes a linear layer: x (rows, in) → out (rows, out).
template <std::same_as<__nv_bfloat16> O>
void linear(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const detail::E4m3Weights& weights,
            const View<O, 2>& out, const Epilogue<__nv_bfloat16>& epilogue = {}) {
  if (out.empty()) return;
  detail::count_saturated(queue, x);
  const auto span = detail::span_of_e4m3(queue, x, out.extent[1], epilogue.residual.empty() ? 2 : 4);
  detail::run_linear(queue, x, weights, out, epilogue);
}

/// Computes a linear layer whose output is another's input: x (rows, in) → out (rows, out). The rows of out
/// are as far apart as rows of elements, and may lie in those of the residual.
template <std::same_as<__nv_fp8_e4m3> O>
void linear(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const detail::E4m3Weights& weights,
            const View<O, 2>& out, const Epilogue<__nv_bfloat16>& epilogue = {}) {
  if (out.empty()) return;
  detail::count_saturated(queue, x);
  const auto span = detail::span_of_e4m3(queue, x, out.extent[1], 1);
  if (epilogue.activation == Activation::gelu_tanh && epilogue.ends_with_activation() &&
      !weights.bias.empty() &&
      detail::run_product(queue, x, weights, out, CUBLASLT_EPILOGUE_GELU_BIAS,
                          static_cast<const __nv_bfloat16*>(nullptr)))
    return;
  const View<__nv_bfloat16, 2> wide(reinterpret_cast<__nv_bfloat16*>(out.data), out.extent,
                                    {out.stride[0] / 2, 1});
  detail::run_linear(queue, x, weights, wide, epilogue);
  kernels::narrow<__nv_bfloat16>(queue.stream(), View<const __nv_bfloat16, 2>(wide), out);
}

}  // namespace weft::inline v0_1::cuda
