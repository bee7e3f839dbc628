// Constants and layers that own their memory on a backend.
#pragma once

#include <array>
#include <type_traits>

#include "weft/backend/backend.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// Copies a tensor to a backend's memory.
template <class Backend, class T = float>
[[nodiscard]] typename Backend::template Buffer<T> constant(typename Backend::Queue& queue,
                                                            const Tensor& tensor) {
  typename Backend::template Buffer<T> buffer(queue, tensor.size());
  upload(queue, tensor, buffer.view(std::array{tensor.size()}));
  return buffer;
}

/// Returns memory for `size` numbers, those of the tensor that make() returns. Where memory holds no numbers,
/// none are made.
template <class Backend, class T = float, class Make>
[[nodiscard]] typename Backend::template Buffer<T> constant(typename Backend::Queue& queue, Index size,
                                                            const Make& make) {
  if constexpr (holds_numbers<Backend>)
    return constant<Backend, T>(queue, make());
  else
    return {queue, size};
}

/// Returns one image's part of x (rows, images, features).
template <class T>
View<T, 3> of_image(const View<T, 3>& x, Index image) {
  return x.template slice<1>({image, image + 1});
}

/// A linear layer that owns its weights.
template <class Backend>
class Linear : public LinearWeights<typename Backend::Element> {
 public:
  using Element = typename Backend::Element;

  Linear() = default;
  /// Copies weights (out, in) and biases (out).
  Linear(typename Backend::Queue& queue, const Tensor& weights, const Tensor& biases)
      : weights_(constant<Backend, Element>(queue, weights)),
        biases_(constant<Backend, Element>(queue, biases)) {
    this->weight = weights_.view(std::array{weights.shape[0], weights.shape[1]});
    this->bias = biases_.view(std::array{biases.size()});
  }

 private:
  typename Backend::template Buffer<Element> weights_, biases_;
};

}  // namespace weft::inline v0_1
