// Linear layers: matrix products by cuBLASLt, with bias, activation and residual in its epilogue if it has
// them, and otherwise in a kernel after it; or by weft's own product, which has all of them and gates.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "weft/backend/cuda/matmul.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/tuning.cuh"
#include "weft/backend/operators.hpp"
#include "weft/device.cuh"
#include "weft/elementwise.cuh"
#include "weft/product.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// Runs out = x · weightᵀ · scale + residual, as `out` or null, with an epilogue of cuBLASLt. Returns false,
/// having done nothing, if cuBLASLt lacks this product.
template <class E, class Operand, class Out>
[[nodiscard]] bool run_product(Queue& queue, const View<const Operand, 2>& x,
                               const LinearWeights<E, Operand>& weights, const View<Out, 2>& out,
                               cublasLtEpilogue_t kind, const void* residual) {
  const Index rows = out.extent[0], outputs = out.extent[1], inputs = x.extent[1];
  Matmul matmul(data_type<Operand>(), data_type<Out>(), rows, inputs, outputs, x.stride[0],
                weights.weight.stride[0], out.stride[0]);
  if constexpr (!std::is_same_v<E, Operand>) {
    matmul.set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
    if (!weights.scale.empty()) matmul.set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, weights.scale.data);
  }
  matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, kind);
  if (kind != CUBLASLT_EPILOGUE_DEFAULT) {
    const void* const bias = weights.bias.data;
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(data_type<E>()));
  }
  const Operands operands{weights.weight.data, x.data, residual, out.data};
  const Alignments alignments(operands);
  const bool adds = residual != nullptr;
  const Products::Key key{data_type<Operand>(),     data_type<Out>(), rows, inputs, outputs,   x.stride[0],
                          weights.weight.stride[0], out.stride[0],    kind, adds,   alignments};
  Products& products = queue.products();
  const auto& algorithm = products.find(key, queue.repeats(), [&]() -> std::optional<Algorithm> {
    if (!queue.repeats()) {
      const auto candidates = matmul.candidates(products.handle(), alignments);
      if (candidates.empty()) return std::nullopt;
      return candidates.front();
    }
    return fastest_algorithms().find({kernels::device_name(), key}, [&] {
      Trials trials(rows, x.stride[0], out.stride[0], alignments, std::type_identity<Operand>(),
                    std::type_identity<Out>());
      return trials.fastest(products.handle(), matmul, weights.weight.data, adds);
    });
  });
  if (!algorithm) return false;
  check(matmul.run(products.handle(), queue.stream(), products.workspace(), operands, *algorithm),
        "running a product");
  return true;
}

/// Returns each image's factors (steps, images, width), or none, as kernels read them.
inline kernels::Factors factors_of(const View<const float, 3>& factors, Step step) {
  if (factors.empty()) return {};
  return {factors.data, factors.stride[0], factors.stride[1], factors.extent[1], step};
}

/// Returns whether cuBLASLt can add the residual: it adds before an activation, in the output's type and
/// stride.
template <class E, class Out>
bool product_adds(const Epilogue<E>& epilogue, const View<Out, 2>& out) {
  return std::is_same_v<E, Out> && epilogue.activation == Activation::none && epilogue.gate.empty() &&
         !epilogue.residual.empty() && epilogue.residual.stride[0] == out.stride[0];
}

/// Runs a linear layer with its product in `product`: `out` itself, or other memory if `out` holds the
/// residual.
template <class E, class Operand, class Out>
void run_linear_by(Queue& queue, const View<Out, 2>& product, const View<const Operand, 2>& x,
                   const LinearWeights<E, Operand>& weights, const View<Out, 2>& out,
                   const Epilogue<E>& epilogue) {
  const bool adds = product_adds(epilogue, out);
  kernels::EndProduct<E, Out> rest{View<const Out, 2>(product),
                                   weights.bias.empty() ? nullptr : weights.bias.data,
                                   epilogue.activation,
                                   epilogue.residual,
                                   out,
                                   factors_of(epilogue.gate.factors, epilogue.gate.step)};
  if (adds || epilogue.residual.empty()) rest.residual.data = nullptr;
  const auto run = [&](cublasLtEpilogue_t kind) {
    return run_product(queue, x, weights, product, kind, adds ? epilogue.residual.data : nullptr);
  };
  const bool fuses = std::is_same_v<E, Out> && rest.bias;  // of other types cuBLASLt may lack the bias
  // cuBLASLt's GELU is off by a few 1e-6, which half precision hides and float32 does not.
  const bool fuses_gelu = fuses && sizeof(Out) == 2 && rest.activation == Activation::gelu_tanh;
  if (fuses_gelu && run(CUBLASLT_EPILOGUE_GELU_BIAS)) {
    rest.bias = nullptr;
    rest.activation = Activation::none;
  } else if (fuses && run(CUBLASLT_EPILOGUE_BIAS)) {
    rest.bias = nullptr;
  } else if (!run(CUBLASLT_EPILOGUE_DEFAULT)) {
    throw std::runtime_error(sentence("cuBLASLt has no product of ", out.extent[0], " rows, ", x.extent[1],
                                      " → ", out.extent[1], " features in this type"));
  }
  if (rest.bias || rest.activation != Activation::none || rest.gate.data || rest.residual.data)
    kernels::for_each_number(queue.stream(), out.extent[0], out.extent[1], rest);
}

/// Runs a linear layer by weft's own kernel, and another one after it for an activation that it lacks;
/// returns false, having done nothing, if they do not take it.
template <class E, class Operand>
[[nodiscard]] bool run_own_product(Queue& queue, const View<const Operand, 2>& x,
                                   const LinearWeights<E, Operand>& weights, const View<E, 2>& out,
                                   const Epilogue<E>& epilogue) {
  const bool fuses = kernels::product_has(epilogue.activation);
  if (!fuses && epilogue.residual.data == out.data) return false;
  const kernels::Factors gate = factors_of(epilogue.gate.factors, epilogue.gate.step);
  kernels::Finish<E> finish;
  if (fuses) {
    finish.activation = epilogue.activation;
    finish.gate = gate;
    if (!epilogue.residual.empty()) finish.residual = kernels::one_below_the_other(epilogue.residual);
  }
  if constexpr (!std::is_same_v<E, Operand>)
    if (!weights.scale.empty()) finish.scale = weights.scale.data;
  if (!weights.bias.empty()) finish.bias = weights.bias.data;
  const kernels::ProductArguments<Operand, E> arguments{kernels::one_below_the_other(x),
                                                        kernels::one_below_the_other(weights.weight),
                                                        {},
                                                        finish,
                                                        kernels::one_below_the_other(out)};
  if (!kernels::takes_product(arguments)) return false;
  kernels::product(queue.stream(), arguments, queue.products().partial_sums());
  if (!fuses)
    kernels::for_each_number(queue.stream(), out.extent[0], out.extent[1],
                             kernels::EndProduct<E, E>{View<const E, 2>(out), nullptr, epilogue.activation,
                                                       epilogue.residual, out, gate});
  return true;
}

/// Runs a linear layer: x (rows, in) → out (rows, out). Where cuBLASLt has all of it, its kernels are the
/// faster ones once they have been timed, which pays for what runs many times.
template <class E, class Operand, class Out>
void run_linear(Queue& queue, const View<const Operand, 2>& x, const LinearWeights<E, Operand>& weights,
                const View<Out, 2>& out, const Epilogue<E>& epilogue) {
  const auto* const residual = static_cast<const void*>(epilogue.residual.data);
  const bool by_library = epilogue.ends_with_activation() || product_adds(epilogue, out);
  if constexpr (std::is_same_v<E, Out> && sizeof(E) == 2)
    if ((!by_library || !queue.repeats()) && run_own_product(queue, x, weights, out, epilogue)) return;
  if (by_library || residual != out.data) return run_linear_by(queue, out, x, weights, out, epilogue);

  const Index rows = out.extent[0], outputs = out.extent[1];
  const Index images = epilogue.gate.empty() ? 1 : epilogue.gate.factors.extent[1];
  const Index rows_at_once = Products::spare_bytes / (outputs * bytes_of<Out>) / images * images;
  if (rows_at_once == 0)
    throw std::logic_error(sentence("a product's residual lies in its output, in rows of ", outputs,
                                    " features, which is too many after an activation"));
  for (Range part{0, 0}; part.end < rows;) {
    part = {part.end, std::min(part.end + rows_at_once, rows)};
    const View<Out, 2> spare(static_cast<Out*>(queue.products().spare()), {part.size(), outputs});
    run_linear_by(queue, spare, x.template slice<0>(part), weights, out.template slice<0>(part),
                  {epilogue.activation, epilogue.residual.template slice<0>(part), epilogue.gate});
  }
}

}  // namespace detail

/// Computes a linear layer: x (rows, in) → out (rows, out), in the elements' type or in float32.
template <class E, class Out>
void linear(Queue& queue, In<E, 2> x, const LinearWeights<E>& weights, const View<Out, 2>& out,
            const std::type_identity_t<Epilogue<E>>& epilogue = {}) {
  if (out.empty()) return;
  const Index rows = out.extent[0], outputs = out.extent[1], inputs = x.extent[1];
  const auto span = queue.span(Work{
      "linear",
      {rows, inputs, outputs},
      2.0 * static_cast<double>(rows * inputs * outputs),
      (rows * inputs + inputs * outputs + (epilogue.residual.empty() ? 0 : rows * outputs)) * bytes_of<E> +
          rows * outputs * bytes_of<Out>});
  detail::run_linear(queue, x, weights, out, epilogue);
}

}  // namespace weft::inline v0_1::cuda
