// The operators that text encoders ask for beside those of backend.hpp: attention whose scores depend on the
// tokens' distance, and a residual stream in float32 whatever the elements are.
#pragma once

#include "weft/backend/backend.hpp"

namespace weft::inline v0_1 {

/// The scores of attention among one text's tokens, before the softmax: scale · q · k + bias.
struct TextScores {
  float scale = 1;
  View<const float, 2> bias{};  // (heads, 2 · tokens − 1): by key − query + tokens − 1; or empty: none
  bool is_causal = false;       // whether a token attends only to itself and those before it
};

namespace detail {

template <class E>
struct TextArguments {
  View<E, 2> rows;
  View<E, 3> x;
  View<float, 2> stream_rows;
  View<float, 3> stream;
  LinearWeights<E> linear;
  NormWeights norm;
};

}  // namespace detail

/// A backend that has the operators on texts.
template <class B>
concept TextBackend = Backend<B> &&
    requires(typename B::Queue& queue, const detail::TextArguments<typename B::Element>& a) {
  text_attention(queue, a.x, a.x, a.x, TextScores{}, a.x);
  add_linear(queue, a.rows, a.linear, a.stream_rows);
  norm(queue, a.stream, a.norm, Modulation{}, a.x);
  norm(queue, a.stream, a.norm, Modulation{}, a.stream);
  copy(queue, a.stream, a.x);
};

}  // namespace weft::inline v0_1
