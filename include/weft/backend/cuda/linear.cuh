// Matrix products by cuBLASLt, with bias, activation and residual in the epilogue where it has them.
#pragma once

#include <stdexcept>
#include <type_traits>

#include "weft/backend/cuda/matmul.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/tuning.cuh"
#include "weft/backend/operators.hpp"
#include "weft/elementwise.cuh"

namespace weft::cuda {

/// x (rows, in) → out (rows, out), in the elements' type or in float32.
template <class E, class Out>
void linear(Queue& queue, In<E, 2> x, const LinearWeights<E>& weights, const View<Out, 2>& out,
            const std::type_identity_t<Epilogue<E>>& epilogue = {}) {
  const Index rows = out.extent[0], outputs = out.extent[1], inputs = x.extent[1];
  if (rows == 0) return;
  const auto span = queue.span(Work{
      "linear",
      {rows, inputs, outputs},
      2.0 * static_cast<double>(rows * inputs * outputs),
      (rows * inputs + inputs * outputs + (epilogue.residual.empty() ? 0 : rows * outputs)) * bytes_of<E> +
          rows * outputs * bytes_of<Out>});
  const bool fused = std::is_same_v<E, Out>;  // otherwise cuBLASLt may lack the bias
  const bool adds = !epilogue.residual.empty();
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  if (fused && !weights.bias.empty())
    kind =
        epilogue.activation == Activation::gelu_tanh ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  if (epilogue.activation == Activation::gelu_tanh && kind != CUBLASLT_EPILOGUE_GELU_BIAS)
    throw std::logic_error("a product with GELU needs a bias and an output of its inputs' type");
  if (adds && (epilogue.activation != Activation::none || epilogue.residual.stride[0] != out.stride[0]))
    throw std::logic_error(
        "a product's residual lies in rows as its output, and no activation stands before it");

  Matmul matmul(data_type<E>(), data_type<Out>(), rows, inputs, outputs, x.stride[0],
                weights.weight.stride[0], out.stride[0]);
  matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, kind);
  if (kind != CUBLASLT_EPILOGUE_DEFAULT) {
    const void* const bias = weights.bias.data;
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(data_type<E>()));
  }
  const Operands operands{weights.weight.data, x.data, adds ? epilogue.residual.data : nullptr, out.data};
  const Alignments alignments(operands);
  const Products::Key key{data_type<E>(),           data_type<Out>(), rows, inputs, outputs,   x.stride[0],
                          weights.weight.stride[0], out.stride[0],    kind, adds,   alignments};
  Products& products = queue.products();
  const Algorithm& algorithm = products.algorithm(key, [&] {
    Trials trials(rows, x.stride[0], out.stride[0], alignments, std::type_identity<E>(),
                  std::type_identity<Out>());
    return trials.fastest(products.handle(), matmul, weights.weight.data, adds);
  });
  check(matmul.run(products.handle(), queue.stream(), products.workspace(), operands, algorithm),
        "Running a product");
  if (!fused && !weights.bias.empty())
    kernels::for_each_number(queue.stream(), rows, outputs, kernels::AddBias<E, Out>{weights.bias.data, out});
  if (epilogue.activation == Activation::silu)
    kernels::for_each_number(queue.stream(), rows, outputs, kernels::Silu<Out>{out});
}

/// x in place: (rows, features).
template <class E>
void activate(Queue& queue, Activation activation, const View<E, 2>& x) {
  const auto span = queue.span(Work{"activate", {x.extent[0], x.extent[1]}, 0, 2 * x.size() * bytes_of<E>});
  if (activation == Activation::none) return;
  if (activation != Activation::silu) throw std::logic_error("of activations alone, only SiLU has a kernel");
  kernels::for_each_number(queue.stream(), x.extent[0], x.extent[1], kernels::Silu<E>{x});
}

}  // namespace weft::cuda
