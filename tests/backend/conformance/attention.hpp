// Conformance of attention, against float64.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "placed.hpp"
#include "weft/backend/operators.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/range.hpp"
#include "weft/core/stretches.hpp"

namespace conformance {

struct AttentionCase {
  Index queries, keys;
  Index images = 2, heads = 3, head_dim = 16;
  double deviation = 1;                      // of queries and keys
  Index key_heads = 0;                       // 0: as many
  Index hidden_end = 0;                      // of each image's hidden keys
  std::vector<std::int32_t> hidden_begin{};  // of each image; empty: no key is hidden
};

/// Returns head dimensions that the backend takes; in half precision it is compiled for 16 alone.
template <class B>
std::vector<Index> head_dims() {
  if constexpr (requires(typename B::Queue & queue) { queue.workers(); }) return {1, 11, 16, 88};
  if constexpr (std::is_same_v<typename B::Element, float>) return {8, 16, 18, 88, 128};
  return {11, 16};
}

template <class B>
class AttentionCheck {
  using E = typename B::Element;
  using Queue = typename B::Queue;

 public:
  AttentionCheck(Queue& queue, const AttentionCase& asked)
      : asked_(asked),
        head_dim_(asked.head_dim),
        q_(random(queue, 41, asked.queries, asked, asked.heads, head_gap, asked.deviation)),
        k_(random(queue, 42, asked.keys, asked, key_heads(asked), 2 * head_gap, asked.deviation)),
        v_(random(queue, 43, asked.keys, asked, key_heads(asked), 0, 1)),
        out_(queue, {asked.queries, asked.images, asked.heads, asked.head_dim}, 3 * head_gap),
        lse_(queue, {asked.queries, asked.images, asked.heads}, 1),
        hidden_begin_(Placed<B, std::int32_t, 1>::of(
            queue, {static_cast<Index>(asked.hidden_begin.size())}, 0,
            [&asked](Index image) { return asked.hidden_begin[static_cast<std::size_t>(image)]; })) {}

  void attend(Queue& queue, weft::Range keys, weft::Output output = weft::Output::replace,
              bool with_lse = true) {
    weft::KeyMask mask;
    if (!asked_.hidden_begin.empty()) mask = {hidden_begin_.view(), asked_.hidden_end};
    attention(queue, q_.view(), k_.view().template slice<0>(keys), v_.view().template slice<0>(keys),
              out_.view(), with_lse ? lse_.view() : View<float, 3>(), output, mask.keys(keys));
  }

  /// Compares the output to attention over all keys.
  void check(Queue& queue, bool with_lse = true) {
    Expected row;
    std::vector<double> all_lse;  // in the order in which `error` asks for them
    CHECK(error(out_.after(queue), [&](Index t, Index image, Index h, Index d) {
            if (d == 0) all_lse.push_back((row = expected(t, image, h)).lse);
            return row.out[static_cast<std::size_t>(d)];
          }) <= 2 * rounding<E>);
    CHECK(out_.gaps_untouched());
    const View<const float, 3> lse = lse_.after(queue);
    if (with_lse) {
      auto next = all_lse.begin();
      CHECK(error(lse, [&next](Index, Index, Index) { return *next++; }) <= 1e-4);
    }
    CHECK(lse_.gaps_untouched());
  }

 private:
  static Index key_heads(const AttentionCase& asked) {
    return asked.key_heads > 0 ? asked.key_heads : asked.heads;
  }
  static Placed<B, E, 4> random(Queue& queue, unsigned seed, Index tokens, const AttentionCase& asked,
                                Index heads, Index gap_after, double deviation) {
    return Placed<B, E, 4>::random(queue, seed, {tokens, asked.images, heads, asked.head_dim}, gap_after,
                                   deviation);
  }

  /// Returns the head of keys that queries of head h attend to.
  Index key_head(Index h) const { return h * k_.before().extent[2] / q_.before().extent[2]; }

  bool hides(Index image, Index key) const {
    return !asked_.hidden_begin.empty() && key < asked_.hidden_end &&
           key >= asked_.hidden_begin[static_cast<std::size_t>(image)];
  }

  /// Returns the logits of all keys; hidden ones have −∞.
  std::vector<double> logits(Index t, Index image, Index h) const {
    std::vector<double> out;
    for (Index key = 0; key < k_.before().extent[0]; ++key) {
      if (hides(image, key)) {
        out.push_back(-std::numeric_limits<double>::infinity());
        continue;
      }
      double sum = 0;
      for (Index d = 0; d < head_dim_; ++d)
        sum += number(q_.before()[t][image][h][d]) * number(k_.before()[key][image][key_head(h)][d]);
      out.push_back(sum / std::sqrt(static_cast<double>(head_dim_)));
    }
    return out;
  }

  /// What attention of one head's query has to be; 0 and −∞ where it sees no key.
  struct Expected {
    std::vector<double> out;
    double lse = -std::numeric_limits<double>::infinity();
  };

  Expected expected(Index t, Index image, Index h) const {
    Expected row{std::vector<double>(static_cast<std::size_t>(head_dim_))};
    std::vector<double> weights = logits(t, image, h);
    double highest = row.lse, sum = 0;
    for (const double weight : weights) highest = std::max(highest, weight);
    if (std::isinf(highest)) return row;
    for (double& weight : weights) sum += weight = std::exp(weight - highest);
    row.lse = highest + std::log(sum);
    for (std::size_t key = 0; key < weights.size(); ++key)
      for (Index d = 0; d < head_dim_; ++d)
        row.out[static_cast<std::size_t>(d)] +=
            weights[key] / sum * number(v_.before()[static_cast<Index>(key)][image][key_head(h)][d]);
    return row;
  }

  AttentionCase asked_;
  Index head_dim_;
  Placed<B, E, 4> q_, k_, v_, out_;
  Placed<B, float, 3> lse_;
  Placed<B, std::int32_t, 1> hidden_begin_;
};

TEST_CASE_TEMPLATE_DEFINE("attention: softmax of the products, with and without the log-sum-exp", B,
                          attention_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index head_dim : head_dims<B>())
      for (const Index queries : {0, 1, 63, 65, 130})
        for (const Index keys : {0, 1, 7, 70, 150})
          for (const bool with_lse : {true, false}) {
            CAPTURE(head_dim);
            CAPTURE(queries);
            CAPTURE(keys);
            AttentionCheck<B> check(queue, {queries, keys, 1 + queries % 2, 2, head_dim});
            check.attend(queue, {0, keys}, weft::Output::replace, with_lse);
            check.check(queue, with_lse);
          }
  });
}

TEST_CASE_TEMPLATE_DEFINE("attention: heads of queries that share a head of keys", B,
                          attention_groups_conformance) {
  using Parts = std::vector<weft::Range>;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index head_dim : head_dims<B>())
      for (const auto& [heads, key_heads] : {std::pair{6, 1}, std::pair{6, 2}, std::pair{6, 3}})
        for (const auto& [queries, keys] : {std::pair{5, 9}, std::pair{150, 300}})
          for (const Parts& parts : {Parts{{0, keys}}, Parts{{0, 4}, {4, keys}}}) {
            CAPTURE(head_dim);
            CAPTURE(key_heads);
            CAPTURE(queries);
            AttentionCase asked{queries, keys, 2, heads, head_dim};
            asked.key_heads = key_heads;
            AttentionCheck<B> check(queue, asked);
            auto output = weft::Output::replace;
            for (const weft::Range& part : parts)
              check.attend(queue, part, std::exchange(output, weft::Output::merge));
            check.check(queue);
          }
    AttentionCase uneven{5, 9};
    uneven.key_heads = 2;
    CHECK_THROWS_WITH_AS(AttentionCheck<B>(queue, uneven).attend(queue, {0, 9}),
                         "attention was given 3 heads of queries and 2 of keys, which must divide them",
                         std::logic_error);
  });
}

// Valid prefixes of all keys, and hidden ones before others: across tiles of any kernel, at their edges, of
// no length, and all there are.
TEST_CASE_TEMPLATE_DEFINE("attention: keys that are hidden from an image's queries", B,
                          attention_mask_conformance) {
  using Parts = std::vector<weft::Range>;
  struct Case {
    Index keys, hidden_end;
    std::vector<std::int32_t> hidden_begin;
  };
  on_queues<B>([](typename B::Queue& queue) {
    for (const auto& [keys, hidden_end, hidden_begin] :
         {Case{70, 70, {70, 33, 0}}, Case{70, 40, {0, 39, 40}}, Case{600, 600, {128, 600, 1}},
          Case{600, 520, {0, 64, 300}}, Case{600, 512, {128, 384, 511}}})
      for (const Index queries : {1, 70})
        for (const Parts& parts : {Parts{{0, keys}}, Parts{{0, 35}, {35, keys}}, Parts{{35, keys}, {0, 35}}})
          for (const bool with_lse : {true, false}) {
            if (!with_lse && parts.size() > 1) continue;
            CAPTURE(keys);
            CAPTURE(hidden_end);
            CAPTURE(queries);
            CAPTURE(parts.front().begin);
            AttentionCheck<B> check(queue, {.queries = queries,
                                            .keys = keys,
                                            .images = 3,
                                            .heads = 2,
                                            .key_heads = 1,
                                            .hidden_end = hidden_end,
                                            .hidden_begin = hidden_begin});
            auto output = weft::Output::replace;
            for (const weft::Range& part : parts)
              check.attend(queue, part, std::exchange(output, weft::Output::merge), with_lse);
            check.check(queue, with_lse);
          }
    AttentionCheck<B> other(queue, {.queries = 5, .keys = 9, .hidden_end = 9, .hidden_begin = {1, 2, 3}});
    CHECK_THROWS_WITH_AS(other.attend(queue, {0, 9}),
                         "attention was given a mask of 3 images' keys, and there are 2 images",
                         std::logic_error);
  });
}

TEST_CASE_TEMPLATE_DEFINE("attention: large logits do not overflow", B, attention_logits_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    AttentionCheck<B> check(queue, {.queries = 40, .keys = 90, .deviation = 6});
    check.attend(queue, {0, 90});
    check.check(queue);
  });
}

TEST_CASE_TEMPLATE_DEFINE(
    "attention: parts of the keys merge into attention over all of them, empty parts too", B,
    attention_merge_conformance) {
  using Parts = std::vector<weft::Range>;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Parts& parts : {Parts{{0, 5}, {5, 6}, {6, 23}}, Parts{{0, 0}, {0, 11}, {11, 23}},
                               Parts{{0, 23}, {23, 23}}, Parts{{0, 0}, {0, 0}, {0, 23}}}) {
      AttentionCheck<B> check(queue, {60, 23});
      auto output = weft::Output::replace;
      for (const weft::Range& part : parts)
        check.attend(queue, part, std::exchange(output, weft::Output::merge));
      check.check(queue);
    }
    AttentionCheck<B> no_keys(queue, {60, 0});
    no_keys.attend(queue, {0, 0});
    no_keys.attend(queue, {0, 0}, weft::Output::merge);
    no_keys.check(queue);
  });
}

// Stretches of all lengths, in memory of another order, and more of them than one launch of a kernel takes.
TEST_CASE_TEMPLATE_DEFINE("attention: output in stretches is that in one piece", B,
                          attention_stretches_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index head_dim : head_dims<B>())
      for (const Index stretches : {1, 2, 3, 70})
        for (const bool merges : {false, true}) {
          CAPTURE(head_dim);
          CAPTURE(stretches);
          CAPTURE(merges);
          constexpr Index queries = 150, keys = 70, images = 2, heads = 3;
          const std::array<Index, 4> extents{queries, images, heads, head_dim};
          const auto q = Placed<B, E, 4>::random(queue, 1, extents),
                     k = Placed<B, E, 4>::random(queue, 2, {keys, images, heads, head_dim}),
                     v = Placed<B, E, 4>::random(queue, 3, {keys, images, heads, head_dim});
          Placed<B, E, 4> whole(queue, extents, 8), parted(queue, extents, 8);
          Placed<B, float, 3> lse(queue, {queries, images, heads});
          std::vector<View<E, 4>> views;
          for (Index i = 0; i < stretches; ++i)
            views.push_back(
                parted.view().template slice<0>(weft::split(queries, stretches, stretches - 1 - i)));
          views.insert(views.begin() + 1, views.front().template slice<0>({0, 0}));
          const auto attend = [&](const auto& out) {
            auto output = weft::Output::replace;
            for (const weft::Range some : {weft::Range{0, merges ? 30 : keys}, weft::Range{30, keys}}) {
              attention(queue, q.view(), k.view().template slice<0>(some), v.view().template slice<0>(some),
                        out, lse.view(), output);
              if (!merges) return;
              output = weft::Output::merge;
            }
          };
          attend(whole.view());
          attend(weft::Stretches<E, 4>(views));
          const View<const E, 4> right = whole.after(queue), found = parted.after(queue);
          std::vector<Index> query_of(queries);  // by the row in memory
          Index query = 0;
          for (Index i = 0; i < stretches; ++i) {
            const weft::Range rows = weft::split(queries, stretches, stretches - 1 - i);
            for (Index r = rows.begin; r < rows.end; ++r) query_of[static_cast<std::size_t>(r)] = query++;
          }
          CHECK(error(found, [&](Index r, Index image, Index h, Index d) {
                  return number(right[query_of[static_cast<std::size_t>(r)]][image][h][d]);
                }) <= rounding<E>);
          CHECK(parted.gaps_untouched());
        }
  });
}

// Operands lie in memory for elements, as models have them, in one stretch or in several.
TEST_CASE_TEMPLATE_DEFINE(
    "attention: output as operands of linear layers is the output in elements, narrowed", B,
    attention_operands_conformance) {
  using E = typename B::Element;
  using O = typename B::Operand;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index head_dim : head_dims<B>())
      for (const Index keys : {0, 70})
        for (const Index stretches : {1, 3}) {
          CAPTURE(head_dim);
          CAPTURE(keys);
          CAPTURE(stretches);
          constexpr Index queries = 150, images = 2, heads = 8;
          const std::array<Index, 4> extents{queries, images, heads, head_dim};
          const auto q = Placed<B, E, 4>::random(queue, 1, extents),
                     k = Placed<B, E, 4>::random(queue, 2, {keys, images, heads, head_dim}),
                     v = Placed<B, E, 4>::random(queue, 3, {keys, images, heads, head_dim});
          Placed<B, E, 4> whole(queue, extents);
          Placed<B, E, 3> memory(queue, {queries, images, heads * head_dim}, head_gap);
          const View<O, 4> out = weft::as_operands<O>(memory.view()).unfold(head_dim);
          const auto attend = [&]<class Out>(const View<Out, 4>& to) {
            if (stretches == 1) return attention(queue, q.view(), k.view(), v.view(), to);
            std::vector<View<Out, 4>> views;
            for (Index i = 0; i < stretches; ++i)
              views.push_back(to.template slice<0>(weft::split(queries, stretches, i)));
            attention(queue, q.view(), k.view(), v.view(), weft::Stretches<Out, 4>(views), {},
                      weft::Output::replace, weft::KeyMask{});
          };
          attend(whole.view());
          attend(out);
          if constexpr (!std::is_same_v<O, E>) {
            const Placed<B, float, 3> lse(queue, {queries, images, heads});
            CHECK_THROWS_AS(
                attention(queue, q.view(), k.view(), v.view(), out, lse.view(), weft::Output::merge),
                std::logic_error);
          }
          const View<const E, 4> elements = whole.after(queue);
          const View<const O, 4> found = memory.after(queue, View<const O, 4>(out));
          CHECK(error(found, [&](Index n, Index image, Index h, Index d) {
                  return number(static_cast<O>(static_cast<float>(elements[n][image][h][d])));
                }) == 0);
        }
  });
}

TEST_CASE_TEMPLATE_DEFINE("attention: merging without log-sum-exps is a logic error", B,
                          attention_contract_conformance) {
  on_queues<B>([](typename B::Queue& queue) {
    AttentionCheck<B> check(queue, {6, 7});
    CHECK_THROWS_WITH_AS(check.attend(queue, {0, 7}, weft::Output::merge, false),
                         "attention merges by log-sum-exps, and was given none of the output that is there",
                         std::logic_error);
  });
}

}  // namespace conformance
