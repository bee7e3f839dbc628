// Layers that own their weights in a backend's memory.
#pragma once

#include <utility>

#include "weft/backend/operators.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

/// A tensor in a backend's memory.
template <class Backend, class T = float>
typename Backend::template Buffer<T> constant(typename Backend::Queue& queue, const Tensor& tensor) {
  typename Backend::template Buffer<T> buffer(queue, tensor.size());
  upload(queue, tensor, buffer.view(std::array{tensor.size()}));
  return buffer;
}

template <class Backend>
class Linear {
 public:
  using Element = typename Backend::Element;

  Linear() = default;
  /// weight (out, in), bias (out).
  Linear(typename Backend::Queue& queue, const Tensor& weight, const Tensor& bias)
      : extents_{weight.shape[0], weight.shape[1]},
        weight_(constant<Backend, Element>(queue, weight)),
        bias_(constant<Backend>(queue, bias)) {}

  operator LinearWeights<Element>() const {
    return {weight_.view(extents_), bias_.view(std::array{extents_[0]})};
  }

  Index inputs() const { return extents_[1]; }
  Index outputs() const { return extents_[0]; }

 private:
  std::array<Index, 2> extents_{};
  typename Backend::template Buffer<Element> weight_;
  typename Backend::template Buffer<float> bias_;
};

template <class Backend>
class LayerNorm {
 public:
  LayerNorm() = default;
  /// Both (features).
  LayerNorm(typename Backend::Queue& queue, const Tensor& scale, const Tensor& shift)
      : scale_(constant<Backend>(queue, scale)), shift_(constant<Backend>(queue, shift)) {}

  operator NormWeights() const {
    return {scale_.view(std::array{scale_.size()}), shift_.view(std::array{shift_.size()})};
  }

 private:
  typename Backend::template Buffer<float> scale_, shift_;
};

}  // namespace weft
