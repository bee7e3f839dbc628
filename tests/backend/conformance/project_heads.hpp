// Conformance of project_heads, against float64.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "heads.hpp"

namespace conformance {

/// How q and k of a case are normed, if they are.
enum class HeadNorm { none, layer, rms };

struct ProjectHeadsCase {
  Index head_dim, heads, images, tokens;
  Index prefix;  // how many of the tokens, the first, have a layer and norms of their own
  Index inputs;
  int ranks;
  HeadNorm norm;
  bool rotates;
};

/// A check of layers whose outputs are q, k and v of heads, and of what norms, rotates and moves these.
template <class B>
class ProjectHeadsCheck {
  using E = typename B::Element;
  using O = typename B::Operand;
  using Queue = typename B::Queue;
  using Parts = typename Affine<B>::Parts;

 public:
  ProjectHeadsCheck(Queue& queue, const ProjectHeadsCase& asked)
      : asked_(asked),
        x_(Placed<B, O, 2>::random(queue, 41, {asked.tokens * asked.images, asked.inputs}, gap<O>)),
        of_prefix_(queue, 42, asked),
        of_rest_(queue, 45, asked),
        out_(queue, {asked.tokens * asked.images, 3 * width()}, head_gap),
        affine_(queue, asked.head_dim,
                asked.norm == HeadNorm::layer ? weft::NormKind::layer : weft::NormKind::rms),
        angles_(queue, asked.tokens, asked.head_dim) {
    compute_expected();
  }

  /// Moves two stretches of the tokens, each with some of the heads for every rank, into memory of the rank's
  /// own, which has room for other tokens before, between and after them.
  void push(Queue& queue) {
    const Index middle = asked_.tokens / 2;
    const std::array<Move, 2> stretches{Move{{0, middle}, 2}, {{middle, asked_.tokens}, middle + 5}};
    std::array<std::vector<Placed<B, E, 4>>, 3> memory;  // of q, k and v, by rank
    for (std::vector<Placed<B, E, 4>>& part : memory)
      for (int rank = 0; rank < asked_.ranks; ++rank)
        part.push_back(Placed<B, E, 4>(
            queue, {asked_.tokens + 9, asked_.images, heads_of(rank).size(), asked_.head_dim}, head_gap));

    std::vector<weft::HeadMove<E>> moves;
    for (const Move& stretch : stretches)
      for (int rank = 0; rank < asked_.ranks; ++rank) {
        const auto part = heads().rows(stretch.from).query_heads(heads_of(rank)).key_heads(heads_of(rank));
        const auto to = [&memory, &stretch, rank](std::size_t of) {
          return memory[of][static_cast<std::size_t>(rank)].view().template slice<0>(
              {stretch.to, stretch.to + stretch.from.size()});
        };
        part.move_q(to(0), moves);
        part.move_k(to(1), moves);
        part.move_v(to(2), moves);
      }
    project_heads(queue, heads().projections(), moves, weft::HeadsGo::to_other_ranks);

    for (std::size_t part = 0; part < memory.size(); ++part)
      for (int rank = 0; rank < asked_.ranks; ++rank) {
        CAPTURE(part);
        CAPTURE(rank);
        Placed<B, E, 4>& found = memory[part][static_cast<std::size_t>(rank)];
        CHECK(error(found.after(queue), [&](Index row, Index image, Index head, Index d) -> Sum {
                for (const Move& stretch : stretches)
                  if (const Index token = row - stretch.to + stretch.from.begin; stretch.from.contains(token))
                    return expected(part, token, image, heads_of(rank).begin + head, d);
                return number(found.before()[row][image][head][d]);
              }) <= bound);
        CHECK(found.gaps_untouched());
      }
  }

  /// Moves queries and keys to where they are, and values nowhere.
  void stay(Queue& queue) {
    std::vector<weft::HeadMove<E>> moves;
    heads().move_q(heads().q, moves);
    heads().move_k(heads().k, moves);
    project_heads(queue, heads().projections(), moves, weft::HeadsGo::to_own_memory);
    CHECK(error(out_.after(queue), [&](Index row, Index column) {
            const Index head = column % width() / asked_.head_dim;
            return expected(static_cast<std::size_t>(column / width()), row / asked_.images,
                            row % asked_.images, head, column % asked_.head_dim);
          }) <= bound);
    CHECK(out_.gaps_untouched());
  }

 private:
  /// Tokens that are moved, to rows from `to` on.
  struct Move {
    weft::Range from;
    Index to;
  };

  /// A layer (in) → (q, k and v of all heads). Weights in narrower operands have a scale.
  struct Layer {
    Placed<B, O, 2> weight;
    Placed<B, E, 1> bias;
    Placed<B, float, 1> scale;

    Layer(Queue& queue, unsigned seed, const ProjectHeadsCase& asked)
        : weight(Placed<B, O, 2>::random(queue, seed, {3 * asked.heads * asked.head_dim, asked.inputs},
                                         gap<O>, 1 / std::sqrt(static_cast<double>(asked.inputs)))),
          bias(Placed<B, E, 1>::random(queue, seed + 1, {3 * asked.heads * asked.head_dim})),
          scale(Placed<B, float, 1>::of(queue, {1}, 0, [](Index) { return 0.75f; })) {}

    weft::LinearWeights<E, O> weights() const {
      weft::LinearWeights<E, O> out{.weight = weight.view(), .bias = bias.view()};
      if constexpr (!std::is_same_v<E, O>) out.scale = scale.view();
      return out;
    }
    double apply(const View<const O, 1>& x, Index output) const {
      double sum = 0;
      for (Index i = 0; i < x.size(); ++i) sum += number(x[i]) * number(weight.before()[output][i]);
      if (!std::is_same_v<E, O>) sum *= number(scale.before()[0]);
      return sum + number(bias.before()[output]);
    }
  };

  // A tensor core may sum products of e4m3 with fewer bits than float32 has.
  static inline const double bound = (std::is_same_v<E, O> ? 2 : 4) * rounding<E>;

  Index width() const { return asked_.heads * asked_.head_dim; }
  weft::Range heads_of(int rank) const {
    return {asked_.heads * rank / asked_.ranks, asked_.heads * (rank + 1) / asked_.ranks};
  }

  weft::HeadsOf<B> heads() const {
    const auto part = [this](Index i) {
      const View<E, 2> rows = out_.view();
      return View<E, 3>(rows.data, {asked_.tokens, asked_.images, rows.extent[1]},
                        {asked_.images * rows.stride[0], rows.stride[0], 1})
          .template slice<2>({i * width(), (i + 1) * width()})
          .unfold(asked_.head_dim);
    };
    const auto projection = [this](const Layer& layer, weft::Range tokens) -> weft::HeadProjection<E, O> {
      const weft::Range rows{tokens.begin * asked_.images, tokens.end * asked_.images};
      return {x_.view().template slice<0>(rows), layer.weights(), out_.view().template slice<0>(rows)};
    };
    weft::HeadsOf<B> out{.q = part(0), .k = part(1), .v = part(2), .prefix = asked_.prefix};
    if (asked_.norm != HeadNorm::none) {
      out.q_norm = &q_norm_;
      out.k_norm = &k_norm_;
      out.prefix_q_norm = &prefix_q_norm_;
      out.prefix_k_norm = &prefix_k_norm_;
    }
    if (asked_.rotates) out.rotation = angles_.rotation();
    out.projection = projection(of_rest_, {asked_.prefix, asked_.tokens});
    out.prefix_projection = projection(of_prefix_, {0, asked_.prefix});
    return out;
  }

  /// Runs the layers and norms in float64.
  void compute_expected() {
    normed_.reserve(static_cast<std::size_t>(asked_.tokens * asked_.images * 3 * width()));
    std::vector<double> head(static_cast<std::size_t>(asked_.head_dim));
    for (Index row = 0; row < asked_.tokens * asked_.images; ++row)
      for (Index h = 0; h < 3 * asked_.heads; ++h) {
        const bool is_prefix = row / asked_.images < asked_.prefix;
        const Layer& layer = is_prefix ? of_prefix_ : of_rest_;
        for (Index d = 0; d < asked_.head_dim; ++d)
          head[static_cast<std::size_t>(d)] = layer.apply(x_.before()[row], h * asked_.head_dim + d);
        const bool is_query = h < asked_.heads, is_value = h >= 2 * asked_.heads;
        const Parts of_query = is_prefix ? Parts::scaled : Parts::both,
                    of_key = is_prefix ? Parts::none : Parts::scaled;
        const std::vector<double> normed = normed_head(
            View<const double, 1>(head.data(), {asked_.head_dim}),
            asked_.norm == HeadNorm::none || is_value ? nullptr : &affine_, is_query ? of_query : of_key);
        normed_.insert(normed_.end(), normed.begin(), normed.end());
      }
  }

  /// Returns feature d of a head of queries (0), keys (1) or values (2) where attention reads it.
  Sum expected(std::size_t part, Index token, Index image, Index head, Index d) const {
    const View<const double, 4> all(normed_.data(),
                                    {asked_.tokens, asked_.images, 3 * asked_.heads, asked_.head_dim});
    const bool rotates = asked_.rotates && part != 2;
    return rotated<B>(all[token][image][static_cast<Index>(part) * asked_.heads + head],
                      rotates ? &angles_ : nullptr, token, d);
  }

  ProjectHeadsCase asked_;
  Placed<B, O, 2> x_;
  Layer of_prefix_, of_rest_;
  Placed<B, E, 2> out_;
  Affine<B> affine_;
  Angles<B> angles_;
  weft::NormWeights q_norm_ = affine_.weights(Parts::both), k_norm_ = affine_.weights(Parts::scaled),
                    prefix_q_norm_ = affine_.weights(Parts::scaled),
                    prefix_k_norm_ = affine_.weights(Parts::none);
  std::vector<double> normed_;  // (tokens · images, q | k | v)
};

TEST_CASE_TEMPLATE_DEFINE("project_heads: layers of heads, which are normed, rotated and moved", B,
                          project_heads_conformance) {
  // Outputs are multiples of 16, as layers in e4m3 need; rows and heads of a rank are of no round number.
  std::vector<ProjectHeadsCase> cases{
      {8, 4, 2, 41, 0, 48, 3, HeadNorm::layer, true},      {8, 6, 1, 130, 1, 16, 2, HeadNorm::none, false},
      {64, 3, 1, 333, 77, 64, 2, HeadNorm::rms, true},     {64, 3, 3, 45, 20, 80, 2, HeadNorm::none, true},
      {72, 4, 3, 50, 13, 48, 3, HeadNorm::layer, false},   {72, 2, 1, 150, 0, 144, 2, HeadNorm::rms, true},
      {88, 4, 1, 333, 0, 48, 3, HeadNorm::layer, true},    {88, 4, 2, 100, 99, 32, 3, HeadNorm::none, false},
      {128, 3, 2, 133, 128, 48, 2, HeadNorm::rms, true},   {128, 4, 3, 20, 20, 64, 3, HeadNorm::rms, false},
      {128, 2, 1, 257, 129, 32, 2, HeadNorm::layer, true},
  };
  // As large as it takes for a kernel that does both at once, which float32 has nowhere.
  if (sizeof(typename B::Element) == 2) cases.push_back({64, 180, 1, 200, 65, 16, 2, HeadNorm::rms, true});
  on_queues<B>([&cases](typename B::Queue& queue) {
    for (const ProjectHeadsCase& one : cases) {
      CAPTURE(one.head_dim);
      CAPTURE(one.tokens);
      CAPTURE(one.images);
      ProjectHeadsCheck<B> check(queue, one);
      check.push(queue);
      check.stay(queue);
    }
  });
}

}  // namespace conformance
