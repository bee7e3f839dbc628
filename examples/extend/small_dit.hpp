// A model of your own: a plain Diffusion Transformer, on any backend. It computes on the tokens that it is
// given, and asks its context for attention; which rank has which tokens, blocks and heads it never learns.
#pragma once

#include <cmath>
#include <weft/weft.hpp>

template <class BackendType>
struct SmallDit {  // its weights are random
  static constexpr weft::Index width = 48, ffn = 192, head = 16;
  using Backend = BackendType;
  using Queue = typename Backend::Queue;
  using Linear = weft::Linear<Backend>;
  using Prompt = int;
  template <class T>
  using Tokens = weft::View<T, 3>;  // (tokens, images, features)

  /// What blocks read of prompts and times: the shifts of every block's first norm, (steps, images, width).
  struct Conditioning {
    typename Backend::template Buffer<float> memory;
    weft::View<const float, 3> shifts;
  };

  static Linear layer(weft::Index outputs, weft::Index inputs) {
    Queue queue;
    weft::Tensor weight({outputs, inputs});
    for (std::size_t i = 0; i < weight.data.size(); ++i)
      weight.data[i] = weft::normal(static_cast<std::uint64_t>(outputs), 0, i) / 7;
    return {queue, weight, weft::Tensor({outputs})};
  }
  Linear in = layer(width, 4), qkv = layer(3 * width, width), join = layer(width, width),
         up = layer(ffn, width), down = layer(width, ffn), out = layer(4, width);

  weft::DitShape shape() const {
    return {.blocks = 5,
            .width = width,
            .heads = width / head,
            .head_dim = head,
            .patch = 2,
            .channels = 1,
            .out_channels = 1};
  }

  void check(Prompt digit) const {
    if (digit < 0 || digit > 9) weft::reject("the prompt is ", digit, " and must be a digit, 0 to 9");
  }

  Conditioning condition(Queue& queue, std::span<const int> digits, const weft::Tensor& times,
                         const weft::Share&) const {
    weft::Tensor shifts({times.shape[0], times.shape[1], width});
    for (std::size_t i = 0; i < shifts.data.size(); ++i)
      shifts.data[i] =
          std::sin((times.data[i / width] + static_cast<float>(digits[i / width % digits.size()])) *
                   static_cast<float>(i % width + 1));
    Conditioning made{weft::constant<Backend>(queue, shifts), {}};
    made.shifts = made.memory.view(std::array{times.shape[0], times.shape[1], width});
    return made;
  }

  void embed(auto& context, const Conditioning&, Tokens<const float> latents, Tokens<float> x) const {
    linear(context.queue(), rows_of(latents), in, rows_of(x));
  }

  void block(weft::Index, auto& context, const Conditioning& conditioning, Tokens<const float> x,
             Tokens<const float>, Tokens<float> y) const {
    auto& queue = context.queue();
    const Tokens<float> narrow = context.scratch().take(x.extent);
    const Tokens<float> wide = context.scratch().take(std::array{x.extent[0], x.extent[1], ffn});
    const auto part = [&wide](weft::Index i) {
      return wide.template slice<2>({i * width, (i + 1) * width}).unfold(head);
    };
    norm(queue, x, {}, {.shift = conditioning.shifts, .step = context.step()}, narrow);
    context.attend({.q = part(0),
                    .k = part(1),
                    .v = part(2),
                    .projection = {rows_of(narrow), qkv, rows_of(wide.template slice<2>({0, 3 * width}))}},
                   narrow.unfold(head));
    linear(queue, rows_of(narrow), join, rows_of(y), {weft::Activation::none, rows_of(x)});
    norm(queue, y, {}, {}, narrow);
    linear(queue, rows_of(narrow), up, rows_of(wide), {weft::Activation::gelu_tanh});
    linear(queue, rows_of(wide), down, rows_of(y), {weft::Activation::none, rows_of(y)});
  }

  void unembed(auto& context, const Conditioning&, Tokens<const float> x, Tokens<float> prediction) const {
    linear(context.queue(), rows_of(x), out, rows_of(prediction));
  }
};

/// Returns a request for images of two digits.
inline weft::Request<int> digits_request(const weft::Sampler& sampler) {
  return {.prompts = {3, 7}, .height = 14, .width = 22, .sampler = sampler};
}
inline weft::Sampler ddim_steps(int steps) {
  const weft::Config settings(
      R"({"prediction_type": "v_prediction", "beta_schedule": "scaled_linear", "clip_sample": false})", "");
  return weft::make_sampler("ddim", settings, steps);
}
