// Attention by matrix products, for heads that are wider than those of attention's kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/image_operators.hpp"
#include "weft/softmax_rows.cuh"

namespace weft::inline v0_1::cuda::detail {

inline constexpr Index widest_fused_head = 128;

/// The attention of one image's head to at least one key, some queries at a time, in a block of memory of the
/// queue.
template <class E>
class WideAttention {
 public:
  /// Takes k, v (keys, features), for so many queries at most.
  WideAttention(Queue& queue, const View<const E, 2>& k, const View<const E, 2>& v, Index queries)
      : queue_(queue),
        k_(k),
        keys_(k.extent[0]),
        features_(v.extent[1]),
        row_(padded(keys_)),
        at_once_(std::clamp<Index>((image_workspace_bytes - value_bytes()) / query_bytes(), 1, queries)),
        memory_(queue.take(static_cast<std::size_t>(value_bytes() + padded(at_once_) * query_bytes()))) {
    kernels::for_each_number(queue.stream(), keys_, features_, kernels::Transpose<E>{v, values_in_columns()});
  }

  /// Computes out (n, features) from q (n, features), and lse (n) unless it has no memory.
  void run(const View<const E, 2>& q, const View<E, 2>& out, float* lse, Index lse_stride, Output output) {
    const Index queries = q.extent[0];
    for (Range some{0, 0}; some.end < queries;) {
      some = {some.end, std::min(some.end + at_once_, queries)};
      auto* const logits = reinterpret_cast<float*>(values_in_columns().data + features_ * row_);
      auto* const weights = reinterpret_cast<E*>(logits + at_once_ * row_);
      auto* const own_lse = reinterpret_cast<float*>(weights + at_once_ * row_);
      auto* const own = reinterpret_cast<E*>(own_lse + padded(at_once_));
      const View<float, 2> logit_rows(logits, {some.size(), keys_}, {row_, 1});
      const View<E, 2> weight_rows(weights, {some.size(), keys_}, {row_, 1}),
          out_rows = out.template slice<0>(some),
          product = output == Output::merge ? View<E, 2>(own, {some.size(), features_}) : out_rows;
      multiply(q.template slice<0>(some), k_, logit_rows);
      kernels::softmax_rows<threads, E><<<static_cast<unsigned>(some.size()), threads, 0, queue_.stream()>>>(
          View<const float, 2>(logit_rows), 1 / std::sqrt(static_cast<float>(features_)), weight_rows,
          own_lse);
      check(cudaGetLastError(), "launching softmax_rows");
      multiply(View<const E, 2>(weight_rows), View<const E, 2>(values_in_columns()), product);
      float* const lse_rows = lse ? lse + some.begin * lse_stride : nullptr;
      if (output == Output::merge)
        kernels::for_each_number(
            queue_.stream(), some.size(), features_,
            kernels::MergeRows<E>{View<const E, 2>(product), own_lse, lse_rows, lse_stride, out_rows});
      if (lse)
        kernels::for_each_number(queue_.stream(), some.size(), 1,
                                 kernels::MergeLse{own_lse, lse_rows, lse_stride, output == Output::merge});
    }
  }

 private:
  static constexpr int threads = 256;

  /// Returns numbers from row to row, so that rows begin at multiples of 16 bytes.
  static Index padded(Index numbers) { return (numbers + 7) / 8 * 8; }

  Index value_bytes() const { return padded(features_ * row_ * bytes_of<E>); }
  /// Returns the bytes of a query's logits, weights, output and log-sum-exp.
  Index query_bytes() const { return (row_ + 1) * bytes_of<float> + (row_ + features_) * bytes_of<E>; }

  View<E, 2> values_in_columns() const {
    return {static_cast<E*>(memory_.get()), {features_, keys_}, {row_, 1}};
  }

  template <class Out>
  void multiply(const View<const E, 2>& x, const View<const E, 2>& weight, const View<Out, 2>& out) {
    if (!run_product<E, E, Out>(queue_, x, {weight, {}}, out, CUBLASLT_EPILOGUE_DEFAULT, nullptr))
      throw std::runtime_error(sentence("cuBLASLt has no product for attention of ", x.extent[0], " rows to ",
                                        keys_, " keys in this type"));
  }

  Queue& queue_;
  View<const E, 2> k_;
  Index keys_, features_, row_;  // numbers from row to row of logits, weights and values
  Index at_once_;                // queries
  Memory memory_;                // values in columns, logits, weights, log-sum-exps, outputs
};

template <class E>
void wide_attention(Queue& queue, const View<const E, 4>& q, const View<const E, 4>& k,
                    const View<const E, 4>& v, const View<E, 4>& out, const View<float, 3>& lse,
                    Output output) {
  const auto head_of = [](const auto& heads, Index image, Index head) {
    auto tokens = heads.template slice<1>({image, image + 1}).template slice<2>({head, head + 1});
    using Number = std::remove_pointer_t<decltype(tokens.data)>;
    return View<Number, 2>(tokens.data, {heads.extent[0], heads.extent[3]}, {heads.stride[0], 1});
  };
  const Index group = q.extent[2] / k.extent[2];
  for (Index image = 0; image < k.extent[1]; ++image)
    for (Index key_head = 0; key_head < k.extent[2]; ++key_head) {
      WideAttention<E> attention(queue, head_of(k, image, key_head), head_of(v, image, key_head),
                                 q.extent[0]);
      for (Index head = key_head * group; head < (key_head + 1) * group; ++head)
        attention.run(head_of(q, image, head), head_of(out, image, head),
                      lse.empty() ? nullptr : lse.data + image * lse.stride[1] + head, lse.stride[0], output);
    }
}

}  // namespace weft::inline v0_1::cuda::detail
