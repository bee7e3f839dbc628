// A Diffusion Transformer of a few numbers whose text goes through the blocks: joint attention with weights
// and norms of their own for text and image, gates, attention among the image alone, skips from anywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "toy.hpp"

struct JointToy {
  static constexpr weft::Index width = 24, head = 8, text_width = 10;
  using Backend = weft::Host;
  using Queue = Backend::Queue;
  using Prompt = weft::Tensor;  // (tokens, text_width)
  using Linear = weft::Linear<weft::Host>;

  struct Conditioning {
    weft::Tensor text;      // (prefix rows of this rank, images, width)
    weft::Tensor factors;   // (steps, images, width): what gates and shifts are
    weft::Tensor cos, sin;  // (rows, head)
  };

  /// What text, or the image, goes through.
  struct Stream {
    Linear qkv, out;
    weft::Tensor q_scale, k_scale;  // (head)

    explicit Stream(std::uint64_t number)
        : qkv(Toy::layer(number, 3 * width, width)),
          out(Toy::layer(number + 1, width, width)),
          q_scale({head}),
          k_scale({head}) {
      for (weft::Index d = 0; d < head; ++d) {
        q_scale.data[static_cast<std::size_t>(d)] =
            1 + 0.1f * weft::normal(number, 1, static_cast<std::uint64_t>(d));
        k_scale.data[static_cast<std::size_t>(d)] =
            1 + 0.1f * weft::normal(number, 2, static_cast<std::uint64_t>(d));
      }
    }
  };

  weft::DitShape numbers{.blocks = 5,
                         .width = width,
                         .heads = width / head,
                         .head_dim = head,
                         .patch = 2,
                         .channels = 1,
                         .out_channels = 1,
                         .differing = {{.attentions = 2, .cost = 2}, {}, {.attentions = 2}, {}, {.cost = 3}}};
  Linear text_in = Toy::layer(20, width, text_width), image_in = Toy::layer(21, width, 4),
         image_out = Toy::layer(22, 4, width), alone = Toy::layer(23, 3 * width, width);
  Stream text{24}, image{26};

  weft::DitShape shape() const { return numbers; }
  weft::Index prefix(const Prompt& prompt) const { return prompt.shape[0]; }
  void check(const Prompt& prompt) const {
    if (prompt.shape.size() != 2 || prompt.shape[1] != text_width)
      weft::reject("a prompt is no (tokens, 10)");
  }

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const weft::Tensor& times,
                         const weft::Share& share) const {
    const weft::Index images = share.images, own = share.prefix_rows().size();
    Conditioning out{weft::Tensor({own, images, width}), weft::Tensor({times.shape[0], images, width}),
                     weft::Tensor({share.rows.size(), head}), weft::Tensor({share.rows.size(), head})};
    const weft::Rows text_rows = share.rows.within({0, share.prefix});
    for (weft::Index p = 0; p < images; ++p) {
      const Prompt& prompt = prompts[static_cast<std::size_t>(p)];
      weft::Tensor states({prompt.shape[0], width});
      linear(queue, prompt.view<2>(), text_in, states.view<2>());
      for (weft::Index m = 0; m < text_rows.patches(); ++m)
        for (weft::Index i = 0; i < text_rows.tokens(m).size(); ++i)
          std::copy_n(states.view<2>()[text_rows.tokens(m).begin + i].data, width,
                      out.text.view<3>()[text_rows.rows(m).begin + i][p].data);
    }
    for (std::size_t i = 0; i < out.factors.data.size(); ++i)
      out.factors.data[i] =
          std::sin(times.data[i / width] * 0.01f * static_cast<float>(i % width + 1)) + 0.5f;
    for (weft::Index m = 0; m < share.rows.patches(); ++m)
      for (weft::Index i = 0; i < share.rows.tokens(m).size(); ++i)
        for (weft::Index d = 0; d < head; ++d) {
          const weft::Index token = share.rows.tokens(m).begin + i, row = share.rows.rows(m).begin + i;
          const float angle = token < share.prefix
                                  ? 0
                                  : static_cast<float>(token - share.prefix) / static_cast<float>(d / 2 + 3);
          out.cos.view<2>()[row][d] = std::cos(angle);
          out.sin.view<2>()[row][d] = std::sin(angle);
        }
    return out;
  }

  void embed(auto& context, const Conditioning& conditioning, weft::View<const float, 3> latents,
             weft::View<float, 3> x) const {
    const weft::Range text_rows = context.prefix_rows();
    copy(context.queue(), conditioning.text.view<3>().slice<0>(text_rows), x.slice<0>({0, text_rows.size()}));
    linear(context.queue(), rows_of(latents), image_in, rows_of(x.slice<0>({text_rows.size(), x.extent[0]})));
  }

  void block(weft::Index i, auto& context, const Conditioning& conditioning, weft::View<const float, 3> x,
             weft::View<const float, 3> skip, weft::View<float, 3> y) const {
    using weft::Index, weft::Range, weft::View;
    auto& queue = context.queue();
    const Index n = x.extent[0], b = x.extent[1], k = context.prefix_rows().size();
    const Range text_rows{0, k}, image_rows{k, n};
    const weft::Rotation rotation =
        weft::Rotation{conditioning.cos.view<2>(), conditioning.sin.view<2>()}.rows(context.rows());
    const weft::Gate gate{conditioning.factors.view<3>(), context.step()};
    const View<float, 3> narrow = context.scratch().take(x.extent);
    const View<float, 3> attended = context.scratch().take(x.extent);
    const View<float, 3> wide = context.scratch().take(std::array{n, b, 3 * width});
    const auto part = [&wide](Index p, Range rows) {
      return wide.slice<2>({p * width, (p + 1) * width}).slice<0>(rows).unfold(head);
    };
    const auto norm_of = [](const weft::Tensor& scale) {
      return weft::NormWeights{.scale = scale.view<1>(), .kind = weft::NormKind::rms};
    };
    const weft::NormWeights q = norm_of(image.q_scale), k_norm = norm_of(image.k_scale),
                            text_q = norm_of(text.q_scale), text_k = norm_of(text.k_scale);

    norm(queue, x, {}, {.shift = conditioning.factors.view<3>(), .step = context.step()}, narrow);
    const auto projection = [&narrow, &wide](const auto& layer, Range rows) {
      return weft::HeadProjection<float>{rows_of(narrow.slice<0>(rows)), layer, rows_of(wide.slice<0>(rows))};
    };
    context.attend({.q = part(0, {0, n}),
                    .k = part(1, {0, n}),
                    .v = part(2, {0, n}),
                    .q_norm = &q,
                    .k_norm = &k_norm,
                    .rotation = rotation,
                    .prefix = k,
                    .prefix_q_norm = &text_q,
                    .prefix_k_norm = &text_k,
                    .projection = projection(image.qkv, image_rows),
                    .prefix_projection = projection(text.qkv, text_rows)},
                   attended.unfold(head));
    const View<const float, 3> onto = skip.empty() ? x : skip;
    for (const auto& [stream, rows] : {std::pair{&text, text_rows}, std::pair{&image, image_rows}})
      linear(queue, rows_of(attended.slice<0>(rows)), stream->out, rows_of(y.slice<0>(rows)),
             {weft::Activation::none, rows_of(onto.slice<0>(rows)), gate});

    for (Index more = 1; more < numbers.block(i).attentions; ++more) {
      context.attend({.q = part(0, image_rows),
                      .k = part(1, image_rows),
                      .v = part(2, image_rows),
                      .projection = projection(alone, image_rows)},
                     attended.slice<0>(image_rows).unfold(head), weft::Among::image);
      const View<float, 3> out = y.slice<0>(image_rows);
      linear(queue, rows_of(attended.slice<0>(image_rows)), image.out, rows_of(out),
             {weft::Activation::none, rows_of(out), gate});
    }
  }

  void unembed(auto& context, const Conditioning&, weft::View<const float, 3> x,
               weft::View<float, 3> prediction) const {
    linear(context.queue(), rows_of(x), image_out, rows_of(prediction));
  }
};

/// The toy whose prompts may end in padding: rows of which the first number is `padding`.
struct PaddedJointToy : JointToy {
  static constexpr float padding = 9;

  weft::Index valid_prefix(const Prompt& prompt) const {
    weft::Index valid = 0;
    while (valid < prompt.shape[0] && prompt.view<2>()[valid][0] != padding) ++valid;
    return valid;
  }
};
