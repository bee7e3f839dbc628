// Matrix products by cuBLASLt, with bias, activation and residual in the epilogue where it has them.
#pragma once

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/operators.hpp"
#include "weft/elementwise.cuh"

namespace weft::cuda {

namespace detail {

template <class E>
constexpr cudaDataType_t data_type() {
  if constexpr (std::is_same_v<E, __nv_bfloat16>) return CUDA_R_16BF;
  if constexpr (std::is_same_v<E, __half>) return CUDA_R_16F;
  return CUDA_R_32F;
}

/// A product as cuBLASLt sees it: columns are rows here, so it computes outᵀ = weight · xᵀ.
class Matmul {
 public:
  Matmul(cudaDataType_t in, cudaDataType_t out, Index rows, Index inputs, Index outputs, Index x_stride,
         Index weight_stride, Index out_stride) {
    check(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "Describing a product");
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    layout(weight_, in, inputs, outputs, weight_stride);
    layout(x_, in, inputs, rows, x_stride);
    layout(out_, out, outputs, rows, out_stride);
  }
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;
  ~Matmul() {
    for (cublasLtMatrixLayout_t layout : {weight_, x_, out_}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(description_);
  }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof value),
          "Describing a product");
  }

  /// out = weight · x + residual, which may be null.
  cublasStatus_t run(cublasLtHandle_t handle, cudaStream_t stream, void* workspace, const void* weight,
                     const void* x, const void* residual, void* out, const Algorithm& algorithm) const {
    const float one = 1, beta = residual ? 1 : 0;
    return cublasLtMatmul(handle, description_, &one, weight, weight_, x, x_, &beta,
                          residual ? residual : out, out_, out, out_, &algorithm.value, workspace,
                          Products::workspace_bytes, stream);
  }

  /// The likeliest first.
  std::vector<Algorithm> candidates(cublasLtHandle_t handle) const {
    constexpr int most = 8;
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "Asking for algorithms");
    const std::size_t bytes = Products::workspace_bytes;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                                         sizeof bytes);
    cublasLtMatmulHeuristicResult_t results[most];
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, description_, weight_, x_, out_,
                                                                 out_, preference, most, results, &found);
    cublasLtMatmulPreferenceDestroy(preference);
    check(status, "Asking for algorithms");
    std::vector<Algorithm> out;
    for (int i = 0; i < found; ++i) out.push_back({results[i].algo});
    return out;
  }

 private:
  static void layout(cublasLtMatrixLayout_t& layout, cudaDataType_t type, Index rows, Index columns,
                     Index stride) {
    check(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), stride),
          "Describing a matrix");
  }

  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t weight_ = nullptr, x_ = nullptr, out_ = nullptr;
};

/// Runs the product with each algorithm that cuBLASLt proposes and returns the fastest. It does so on a
/// stream and in memory of its own, since the queue may be recording.
inline Algorithm fastest(cublasLtHandle_t handle, const Matmul& matmul, const void* weight, const void* x,
                         const void* residual, std::size_t out_bytes) {
  const auto candidates = matmul.candidates(handle);
  if (candidates.empty()) throw std::runtime_error("cuBLASLt has no algorithm for a product.");
  if (candidates.size() == 1) return candidates.front();
  const Block workspace(Products::workspace_bytes), out(out_bytes);
  cudaStream_t stream;
  cudaEvent_t begin, end;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "Timing a product");
  check(cudaEventCreate(&begin), "Timing a product");
  check(cudaEventCreate(&end), "Timing a product");
  float best = 0;
  Algorithm choice = candidates.front();
  for (const Algorithm& candidate : candidates) {
    constexpr int repeats = 3;
    const auto run = [&] {
      return matmul.run(handle, stream, workspace.data(), weight, x, residual, out.data(), candidate);
    };
    if (run() != CUBLAS_STATUS_SUCCESS) continue;
    check(cudaEventRecord(begin, stream), "Timing a product");
    for (int i = 0; i < repeats; ++i) run();
    check(cudaEventRecord(end, stream), "Timing a product");
    check(cudaEventSynchronize(end), "Timing a product");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "Timing a product");
    if (best == 0 || milliseconds < best) best = milliseconds, choice = candidate;
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  cudaStreamDestroy(stream);
  return choice;
}

}  // namespace detail

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

  detail::Matmul matmul(detail::data_type<E>(), detail::data_type<Out>(), rows, inputs, outputs, x.stride[0],
                        weights.weight.stride[0], out.stride[0]);
  matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, kind);
  if (kind != CUBLASLT_EPILOGUE_DEFAULT) {
    const void* const bias = weights.bias.data;
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(detail::data_type<E>()));
  }
  const Products::Key key{detail::data_type<E>(),
                          detail::data_type<Out>(),
                          rows,
                          inputs,
                          outputs,
                          x.stride[0],
                          weights.weight.stride[0],
                          out.stride[0],
                          kind,
                          adds};
  Products& products = queue.products();
  const void* const residual = adds ? epilogue.residual.data : nullptr;
  const Algorithm& algorithm = products.algorithm(key, [&] {
    return detail::fastest(products.handle(), matmul, weights.weight.data, x.data, residual,
                           static_cast<std::size_t>(rows * out.stride[0]) * sizeof(Out));
  });
  check(matmul.run(products.handle(), queue.stream(), products.workspace(), weights.weight.data, x.data,
                   residual, out.data, algorithm),
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
