// Linear layers in e4m3 between activations in bfloat16: what they read is made in e4m3 by the norm or the
// activation before.
// Micikevicius et al., "FP8 Formats for Deep Learning", 2022.
#pragma once

#include <cuda_fp8.h>

#include <concepts>
#include <stdexcept>

#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/e4m3.cuh"

namespace weft::cuda {

/// Weights as e4m3 times one scale, which is 0 before: from, to (out, in); scale (1). Refused if a side is no
/// multiple of 16.
inline void narrow_weights(Queue& queue, const View<const __nv_bfloat16, 2>& from,
                           const View<__nv_fp8_e4m3, 2>& to, const View<float, 1>& scale) {
  if (from.extent[0] % 16 != 0 || from.extent[1] % 16 != 0)
    refuse("the model has a linear layer of ", from.extent[1], " → ", from.extent[0],
           " features; FP8 needs multiples of 16, and bfloat16 takes any");
  kernels::quantize(queue.stream(), from.data, from.size(), to.data, scale.data);
}

/// x → out, both (rows, features). A row of out may be the front of that of x.
inline void narrow(Queue& queue, const View<const __nv_bfloat16, 2>& x, const View<__nv_fp8_e4m3, 2>& out) {
  const auto span = queue.span(Work{"narrow", {out.extent[0], out.extent[1]}, 0, 3 * out.size()});
  kernels::narrow<kernels::Identity, __nv_bfloat16>(queue.stream(), {}, x, out);
}

// Templates, so that a program without FP8 compiles no norm's kernels for it.

/// As `norm` to elements.
template <std::same_as<__nv_fp8_e4m3> O>
void norm(Queue& queue, const View<const __nv_bfloat16, 3>& x, const NormWeights& weights,
          const Modulation& modulation, const View<O, 3>& out) {
  const auto span =
      queue.span(Work{"norm_e4m3", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 3 * out.size()});
  kernels::norm<__nv_bfloat16, O>(queue.stream(), x, {}, detail::norm_constants(weights, modulation), out);
}

/// As `norm_pair` to elements.
template <std::same_as<__nv_fp8_e4m3> O>
void norm_pair(Queue& queue, const View<const __nv_bfloat16, 3>& x, const View<const __nv_bfloat16, 3>& skip,
               const NormWeights& weights, const View<O, 3>& out) {
  const auto span =
      queue.span(Work{"norm_pair_e4m3", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 3 * out.size()});
  kernels::norm<__nv_bfloat16, O>(queue.stream(), x, skip, detail::norm_constants(weights), out);
}

namespace detail {

using E4m3Weights = LinearWeights<__nv_bfloat16, __nv_fp8_e4m3>;

/// out = x · weightᵀ · scale + residual, which may be null, with an epilogue. False if cuBLASLt lacks it.
template <class Out>
bool run_e4m3(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const E4m3Weights& weights,
              const View<Out, 2>& out, cublasLtEpilogue_t kind, const __nv_bfloat16* residual) {
  const Index rows = out.extent[0], outputs = out.extent[1], inputs = x.extent[1];
  Matmul matmul(CUDA_R_8F_E4M3, data_type<Out>(), rows, inputs, outputs, x.stride[0],
                weights.weight.stride[0], out.stride[0]);
  matmul.set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  if (!weights.scale.empty()) matmul.set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, weights.scale.data);
  matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, kind);
  if (kind != CUBLASLT_EPILOGUE_DEFAULT) {
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, weights.bias.data);
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(CUDA_R_16BF));
  }
  const Operands operands{weights.weight.data, x.data, residual, out.data};
  const Alignments alignments(operands);
  const bool adds = residual != nullptr;
  const Products::Key key{CUDA_R_8F_E4M3,           data_type<Out>(), rows, inputs, outputs,   x.stride[0],
                          weights.weight.stride[0], out.stride[0],    kind, adds,   alignments};
  Products& products = queue.products();
  const auto& algorithm = products.find(key, [&] {
    Trials trials(rows, x.stride[0], out.stride[0], alignments, std::type_identity<__nv_fp8_e4m3>(),
                  std::type_identity<Out>());
    return trials.fastest(products.handle(), matmul, weights.weight.data, adds);
  });
  if (!algorithm) return false;
  check(matmul.run(products.handle(), queue.stream(), products.workspace(), operands, *algorithm),
        "Running a product in e4m3");
  return true;
}

/// As the function above, for a product that has to be there.
template <class Out>
void must_run_e4m3(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const E4m3Weights& weights,
                   const View<Out, 2>& out, cublasLtEpilogue_t kind,
                   const __nv_bfloat16* residual = nullptr) {
  if (!run_e4m3(queue, x, weights, out, kind, residual))
    throw std::runtime_error(sentence("cuBLASLt has no product in e4m3 of ", out.extent[0], " rows, ",
                                      x.extent[1], " → ", out.extent[1], " features."));
}

/// Of a product that reads and writes so many bytes for each output.
inline Span span_of_e4m3(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, Index outputs,
                         Index bytes_an_output) {
  const Index rows = x.extent[0], inputs = x.extent[1];
  return queue.span(Work{"linear_e4m3",
                         {rows, inputs, outputs},
                         2.0 * static_cast<double>(rows * inputs * outputs),
                         rows * inputs + inputs * outputs + rows * outputs * bytes_an_output});
}

}  // namespace detail

/// x (rows, in) → out (rows, out). Without an activation.
inline void linear(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const detail::E4m3Weights& weights,
                   const View<__nv_bfloat16, 2>& out, const Epilogue<__nv_bfloat16>& epilogue = {}) {
  if (out.extent[0] == 0) return;
  const bool adds = !epilogue.residual.empty(), has_bias = !weights.bias.empty();
  if (epilogue.activation != Activation::none || (adds && epilogue.residual.stride[0] != out.stride[0]))
    throw std::logic_error(
        "a product in e4m3 has no activation but GELU to e4m3, and its residual lies in rows as its output");
  const auto span = detail::span_of_e4m3(queue, x, out.extent[1], adds ? 4 : 2);
  const __nv_bfloat16* const residual = adds ? epilogue.residual.data : nullptr;
  const auto kind = has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (detail::run_e4m3(queue, x, weights, out, kind, residual)) return;
  detail::must_run_e4m3(queue, x, weights, out, CUBLASLT_EPILOGUE_DEFAULT, residual);
  if (has_bias)
    kernels::for_each_number(queue.stream(), out.extent[0], out.extent[1],
                             kernels::AddBias<__nv_bfloat16, __nv_bfloat16>{weights.bias.data, out});
}

/// x (rows, in) → out (rows, out), what the next linear layer reads: with GELU, and without a residual. A row
/// of out is the front of one of as many elements.
inline void linear(Queue& queue, const View<const __nv_fp8_e4m3, 2>& x, const detail::E4m3Weights& weights,
                   const View<__nv_fp8_e4m3, 2>& out, const Epilogue<__nv_bfloat16>& epilogue) {
  if (out.extent[0] == 0) return;
  if (epilogue.activation != Activation::gelu_tanh || !epilogue.residual.empty() || weights.bias.empty())
    throw std::logic_error("a product to e4m3 has a bias and GELU, and no residual");
  const auto span = detail::span_of_e4m3(queue, x, out.extent[1], 1);
  if (detail::run_e4m3(queue, x, weights, out, CUBLASLT_EPILOGUE_GELU_BIAS, nullptr)) return;
  const View<__nv_bfloat16, 2> wide(reinterpret_cast<__nv_bfloat16*>(out.data), out.extent,
                                    {out.stride[0] / 2, 1});
  detail::must_run_e4m3(queue, x, weights, wide, CUBLASLT_EPILOGUE_BIAS);
  kernels::narrow<kernels::Gelu, __nv_bfloat16>(queue.stream(), {}, View<const __nv_bfloat16, 2>(wide), out);
}

}  // namespace weft::cuda
