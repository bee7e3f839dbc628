// Attention with head dimension HEAD_DIM, on the tier that this program is compiled for and by each of its
// tilings.
#include "weft/attention.cuh"

#include <doctest/doctest.h>

#include <optional>

#include "attention_cases.cuh"

using namespace weft;
using namespace weft::kernels::test;
using kernels::sm90::TilingName;

namespace {

/// A given tiling, or the one that attention chooses.
using Tiling = std::optional<TilingName>;
constexpr Tiling tilings[] = {std::nullopt,        TilingName::wide, TilingName::narrow,
                              TilingName::split,   TilingName::tall, TilingName::tall_split,
                              TilingName::resident};

bool runs(Tiling tiling, const Shape& shape, Index keys) {
  if (!tiling) return true;
  return kernels::current_tier() == kernels::Tier::sm90a && shape.queries > 0 && keys > 0 &&
         kernels::sm90::plan(*tiling, {shape.queries, keys, shape.batch * shape.heads, HEAD_DIM},
                             kernels::multiprocessors())
             .runs();
}

template <class E>
void attend(Tiling tiling, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
            const View<float, 3>& lse, Output output, const KeyMask& mask) {
  const auto with = [&]<TilingName name>() {
    if constexpr (kernels::sm90::has_tiling(name, HEAD_DIM))
      kernels::attention_with<HEAD_DIM, name>(nullptr, q, k, v, out, lse, output);
  };
  if (!tiling) return kernels::attention<HEAD_DIM>(nullptr, q, k, v, out, lse, output, mask);
  switch (*tiling) {
    case TilingName::wide:
      return with.template operator()<TilingName::wide>();
    case TilingName::narrow:
      return with.template operator()<TilingName::narrow>();
    case TilingName::split:
      return with.template operator()<TilingName::split>();
    case TilingName::tall:
      return with.template operator()<TilingName::tall>();
    case TilingName::tall_split:
      return with.template operator()<TilingName::tall_split>();
    case TilingName::resident:
      return with.template operator()<TilingName::resident>();
  }
}

template <class E>
void compare_with(Tiling tiling, const Shape& shape, bool gaps, unsigned seed) {
  CAPTURE((tiling ? to_string(*tiling) : "chosen"));
  const auto with_tiling = [tiling](In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
                                    const View<float, 3>& lse, Output output, const KeyMask& mask) {
    attend<E>(tiling, q, k, v, out, lse, output, mask);
  };
  compare<E, HEAD_DIM>(with_tiling, shape, gaps, seed);
}

const std::vector<Shape> large = {
    {1024, 700, 2, 16, 2},  // several tiles of queries a block
    {700, 200, 4, 16},
    // a round of tiles, then some whose keys are split, on 132 multiprocessors
    {.queries = 250, .keys = 4000, .batch = 1, .heads = 70, .key_heads = 1},
    {1100, 333, 2, 16},  // several shares of a head's queries
    {200, 111, 5, 30},   // several heads a block
};

template <class E>
void compare_hidden() {
  if (std::is_same_v<E, __nv_bfloat16> && kernels::current_tier() == kernels::Tier::sm70) return;
  for (const Shape& shape : hidden)
    for (bool gaps : {false, true}) compare_with<E>(std::nullopt, shape, gaps, 7);
}

template <class E>
void compare_all(const std::vector<Shape>& shapes) {
  const kernels::Tier tier = kernels::current_tier();
  if (std::is_same_v<E, __nv_bfloat16> && tier == kernels::Tier::sm70) return;
  for (const Tiling tiling : tilings) {
    unsigned seed = 0;
    for (const Shape& shape : shapes) {
      const Index later = shape.merged, first = shape.keys - later;
      if (!runs(tiling, shape, first)) continue;
      if (later > 0 && !runs(tiling, shape, later)) continue;
      for (bool gaps : {false, true}) compare_with<E>(tiling, shape, gaps, ++seed);
    }
    const bool is_here =
        !tiling || (tier == kernels::Tier::sm90a && kernels::sm90::has_tiling(*tiling, HEAD_DIM));
    const bool splits = tiling == TilingName::split || tiling == TilingName::tall_split;  // few queries alone
    if (is_here && !(splits && &shapes == &large)) CHECK(seed > 0);
  }
}

}  // namespace

TEST_CASE("attention of small bfloat16 tensors agrees with float32") { compare_all<__nv_bfloat16>(small); }
TEST_CASE("attention of small float16 tensors agrees with float32") { compare_all<__half>(small); }
TEST_CASE("attention of large bfloat16 tensors agrees with float32") { compare_all<__nv_bfloat16>(large); }
TEST_CASE("attention of large float16 tensors agrees with float32") { compare_all<__half>(large); }
TEST_CASE("attention in bfloat16 merges its output over further keys") { compare_all<__nv_bfloat16>(merged); }
TEST_CASE("attention in float16 merges its output over further keys") { compare_all<__half>(merged); }

TEST_CASE("attention in bfloat16 shares heads of keys") { compare_all<__nv_bfloat16>(shared); }
TEST_CASE("attention in float16 shares heads of keys") { compare_all<__half>(shared); }
TEST_CASE("attention in bfloat16 passes over hidden keys") { compare_hidden<__nv_bfloat16>(); }
TEST_CASE("attention in float16 passes over hidden keys") { compare_hidden<__half>(); }

TEST_CASE("attention over no keys is zero, with a log-sum-exp of minus infinity") {
  compare_with<__half>(std::nullopt, {70, 0, 2, 3}, true, 1);
}

TEST_CASE("attention needs no log-sum-exp, and does nothing without queries") {
  std::mt19937 random(1);
  Operand<__half> q(40, 1, 2, HEAD_DIM, false), k(50, 1, 2, HEAD_DIM, false), out(40, 1, 2, HEAD_DIM, false);
  randomize(q, 1, random);
  randomize(k, 1, random);
  out.data.fill(0xff);
  kernels::attention<HEAD_DIM>(nullptr, q.view, k.view, k.view, out.view);
  for (__half x : out.data.download()) REQUIRE_FALSE(__hisnan(x));
  kernels::attention<HEAD_DIM>(nullptr, q.view.slice<0>({0, 0}), k.view, k.view, out.view.slice<0>({0, 0}));
}
