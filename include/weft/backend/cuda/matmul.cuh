// A matrix product by cuBLASLt.
#pragma once

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "weft/backend/cuda/products.cuh"

namespace weft::inline v0_1::cuda {

template <class E>
constexpr cudaDataType_t data_type() {
  if constexpr (std::is_same_v<E, __nv_bfloat16>) return CUDA_R_16BF;
  if constexpr (std::is_same_v<E, __half>) return CUDA_R_16F;
  if constexpr (std::is_same_v<E, __nv_fp8_e4m3>) return CUDA_R_8F_E4M3;
  return CUDA_R_32F;
}

/// The description of a product. cuBLASLt is column-major, so it computes outᵀ = weight · xᵀ.
class Matmul {
 public:
  Matmul(cudaDataType_t in, cudaDataType_t out, Index rows, Index inputs, Index outputs, Index x_stride,
         Index weight_stride, Index out_stride) {
    check(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    layout(weight_, in, inputs, outputs, weight_stride);
    layout(x_, in, inputs, rows, x_stride);
    layout(out_, out, outputs, rows, out_stride);
    // A residual is never in e4m3, and cuBLASLt wants its type even where there is none.
    if (out == CUDA_R_8F_E4M3) layout(residual_, CUDA_R_16BF, outputs, rows, out_stride);
  }
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;
  ~Matmul() {
    for (cublasLtMatrixLayout_t layout : {weight_, x_, out_}) cublasLtMatrixLayoutDestroy(layout);
    if (residual_) cublasLtMatrixLayoutDestroy(residual_);
    cublasLtMatmulDescDestroy(description_);
  }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof value),
          "describing a product");
  }

  /// Queues the product on a stream, and the sum of it and the residual, if any.
  [[nodiscard]] cublasStatus_t run(cublasLtHandle_t handle, cudaStream_t stream, void* workspace,
                                   const Operands& operands, const Algorithm& algorithm) const {
    const float one = 1, beta = operands.residual ? 1 : 0;
    const void* const added = operands.residual || residual_ ? operands.residual : operands.out;
    return cublasLtMatmul(handle, description_, &one, operands.weight, weight_, operands.x, x_, &beta, added,
                          residual_ ? residual_ : out_, operands.out, out_, &algorithm.value, workspace,
                          Products::workspace_bytes, stream);
  }

  /// Returns cuBLASLt's algorithms for operands of such alignments, the likeliest first; none if it lacks the
  /// product on this device.
  std::vector<Algorithm> candidates(cublasLtHandle_t handle, const Alignments& alignments) const {
    constexpr int most = 32;
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "asking for algorithms");
    const auto prefer = [preference](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, Products::workspace_bytes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignments.weight);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignments.x);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignments.residual);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignments.out);
    cublasLtMatmulHeuristicResult_t results[most];
    int found = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle, description_, weight_, x_, residual_ ? residual_ : out_, out_,
                                       preference, most, results, &found);
    cublasLtMatmulPreferenceDestroy(preference);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    check(status, "asking for algorithms");
    std::vector<Algorithm> out;
    for (int i = 0; i < found; ++i) out.push_back({results[i].algo});
    return out;
  }

  /// Appends the algorithms that differ from those in one bit of cuBLASLt's custom option, whose values have
  /// no names. On sm_90a it seems to tell whether warpgroups share a tile or take turns with one each, so
  /// that what ends a tile hides behind another's products; candidates() has the one or the other.
  void append_variants(cublasLtHandle_t handle, std::vector<Algorithm>& algorithms) const {
    constexpr int taking_turns = 4;
    constexpr auto attribute = CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION;
    const std::vector<Algorithm> known = algorithms;
    for (Algorithm variant : known) {
      int option = 0, last = 0;
      std::size_t written = 0;
      check(cublasLtMatmulAlgoConfigGetAttribute(&variant.value, attribute, &option, sizeof option, &written),
            "asking for an algorithm's option");
      check(cublasLtMatmulAlgoCapGetAttribute(&variant.value, CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX, &last,
                                              sizeof last, &written),
            "asking for an algorithm's options");
      option ^= taking_turns;
      cublasLtMatmulHeuristicResult_t result;
      if (option <= last &&
          cublasLtMatmulAlgoConfigSetAttribute(&variant.value, attribute, &option, sizeof option) ==
              CUBLAS_STATUS_SUCCESS &&
          cublasLtMatmulAlgoCheck(handle, description_, weight_, x_, residual_ ? residual_ : out_, out_,
                                  &variant.value, &result) == CUBLAS_STATUS_SUCCESS &&
          result.workspaceSize <= Products::workspace_bytes)
        algorithms.push_back(variant);
    }
  }

 private:
  static void layout(cublasLtMatrixLayout_t& layout, cudaDataType_t type, Index rows, Index columns,
                     Index stride) {
    check(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), stride),
          "describing a matrix");
  }

  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t weight_ = nullptr, x_ = nullptr, out_ = nullptr;
  cublasLtMatrixLayout_t residual_ = nullptr;  // null: the same as out_
};

}  // namespace weft::inline v0_1::cuda
