// Attention with head dimension HEAD_DIM, on the tier that this program is compiled for and by each of its
// tilings: every row against a kernel in float32, which the conformance tests compare with float64.
#include "weft/attention.cuh"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>

#include "device_array.cuh"
#include "weft/plain_attention.cuh"

using namespace weft;
using kernels::sm90::TilingName;
using kernels::test::DeviceArray;

namespace {

struct Shape {
  Index queries, keys, batch, heads;
  float spread = 1;      // of q and k
  float early = 1;       // of the first half of the keys, which attention may meet after the others
  Index merged = 0;      // keys that come in a second call, which merges
  Index key_heads = 0;   // 0: as many
  Index hidden_end = 0;  // image b's keys from hidden_end · b / batch to here are hidden
};

/// A (tokens, B, H, D) view with gaps around every row of heads, on the device.
template <class E>
struct Operand {
  Index heads, head_dim, columns;
  DeviceArray<E> data;
  View<E, 4> view;

  Operand(Index tokens, Index batch, Index h, Index d, bool gaps)
      : heads(h),
        head_dim(d),
        columns((h + (gaps ? 2 : 0)) * d),
        data(std::max<Index>(tokens * batch * columns, 1)) {
    view = {data.get() + (gaps ? d : 0), {tokens, batch, h, d}, {batch * columns, columns, d, 1}};
  }
  Index offset(Index token, Index b, Index h) const {
    return view.data - data.get() + token * view.stride[0] + b * view.stride[1] + h * view.stride[2];
  }
};

template <class E>
void randomize(Operand<E>& x, float spread, std::mt19937& random, float early = 1) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<E> host(x.data.size());
  for (std::size_t i = 0; i < host.size(); ++i)
    host[i] = E(normal(random) * (2 * i < host.size() ? early : 1));
  x.data.upload(host);
}

/// Returns the same numbers in float32.
template <class E>
Operand<float> widened(const Operand<E>& x) {
  Operand<float> out(x.view.extent[0], x.view.extent[1], x.heads, x.head_dim,
                     x.columns > x.heads * x.head_dim);
  const std::vector<E> numbers = x.data.download();
  out.data.upload(std::vector<float>(numbers.begin(), numbers.end()));
  return out;
}

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

template <int D, class E>
void attend(Tiling tiling, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
            const View<float, 3>& lse, Output output, const KeyMask& mask) {
  const auto with = [&]<TilingName name>() {
    if constexpr (kernels::sm90::has_tiling(name, D))
      kernels::attention_with<D, name>(nullptr, q, k, v, out, lse, output);
  };
  if (!tiling) return kernels::attention<D>(nullptr, q, k, v, out, lse, output, mask);
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

/// The largest relative L2 error of a row, and of all rows together.
template <class E>
constexpr double row_bound = std::is_same_v<E, __half> ? 3e-3 : 1.5e-2;
template <class E>
constexpr double whole_bound = std::is_same_v<E, __half> ? 1e-3 : 6e-3;

template <class E, int D>
void compare(const Shape& shape, Tiling tiling, bool gaps, unsigned seed) {
  CAPTURE(D);
  CAPTURE(shape.queries);
  CAPTURE(shape.keys);
  CAPTURE(gaps);
  CAPTURE((tiling ? to_string(*tiling) : "chosen"));
  CAPTURE(shape.hidden_end);
  std::mt19937 random(seed);
  const Index key_heads = shape.key_heads > 0 ? shape.key_heads : shape.heads;
  Operand<E> q(shape.queries, shape.batch, shape.heads, D, gaps),
      k(shape.keys, shape.batch, key_heads, D, gaps), v(shape.keys, shape.batch, key_heads, D, gaps),
      out(shape.queries, shape.batch, shape.heads, D, gaps);
  DeviceArray<float> lse_data(shape.queries * shape.batch * shape.heads),
      right_lse_data(shape.queries * shape.batch * shape.heads);
  const std::array<Index, 3> rows{shape.queries, shape.batch, shape.heads};
  const View<float, 3> lse(lse_data.get(), rows), right_lse(right_lse_data.get(), rows);
  randomize(q, shape.spread, random);
  randomize(k, shape.spread, random, shape.early);
  randomize(v, 1, random);

  DeviceArray<std::int32_t> hidden_begin(shape.batch);
  KeyMask mask;
  if (shape.hidden_end > 0) {
    std::vector<std::int32_t> begins;
    for (Index b = 0; b < shape.batch; ++b)
      begins.push_back(static_cast<std::int32_t>(shape.hidden_end * b / shape.batch));
    hidden_begin.upload(begins);
    mask = {{hidden_begin.get(), {shape.batch}}, shape.hidden_end};
  }

  std::vector<E> first_out;
  std::vector<float> first_lse;
  for (int run = 0; run < 2; ++run) {
    out.data.fill(0xff);
    lse_data.fill(0xff);
    const Range first{0, shape.keys - shape.merged}, later{first.end, shape.keys};
    attend<D, E>(tiling, q.view, k.view.template slice<0>(first), v.view.template slice<0>(first), out.view,
                 lse, Output::replace, mask.keys(first));
    if (shape.merged > 0)
      attend<D, E>(tiling, q.view, k.view.template slice<0>(later), v.view.template slice<0>(later), out.view,
                   lse, Output::merge, mask.keys(later));
    const auto now_out = out.data.download();
    const auto now_lse = lse_data.download();
    if (run == 0) {
      first_out = now_out;
      first_lse = now_lse;
    } else {
      CHECK(std::memcmp(now_out.data(), first_out.data(), now_out.size() * sizeof(E)) == 0);
      CHECK(std::memcmp(now_lse.data(), first_lse.data(), now_lse.size() * sizeof(float)) == 0);
    }
  }

  const Operand<float> right(shape.queries, shape.batch, shape.heads, D, gaps);
  const Operand<float> wide_q = widened(q), wide_k = widened(k), wide_v = widened(v);
  kernels::plain_attention<float>(nullptr, View<const float, 4>(wide_q.view),
                                  View<const float, 4>(wide_k.view), View<const float, 4>(wide_v.view),
                                  right.view, right_lse, Output::replace, mask);
  const std::vector<float> right_out = right.data.download(), right_lses = right_lse_data.download();

  std::vector<bool> written(first_out.size());
  double error = 0, norm = 0, row_error = 0, lse_error = 0;
  const auto worse = [](double& worst, double off) {
    worst = std::max(worst, std::isnan(off) ? INFINITY : off);
  };
  for (Index token = 0; token < shape.queries; ++token) {
    for (Index b = 0; b < shape.batch; ++b) {
      for (Index h = 0; h < shape.heads; ++h) {
        double off = 0, length = 0;
        for (Index i = 0; i < D; ++i) {
          const Index at = out.offset(token, b, h) + i;
          written[at] = true;
          off += std::pow(double(float(first_out[at])) - right_out[at], 2);
          length += std::pow(double(right_out[at]), 2);
        }
        error += off;
        norm += length;
        if (off > 0 || std::isnan(off)) worse(row_error, std::sqrt(off / length));
        const double got = first_lse[(token * shape.batch + b) * shape.heads + h],
                     want = right_lses[(token * shape.batch + b) * shape.heads + h];
        if (got != want) worse(lse_error, std::abs(got - want) / std::max(1., std::abs(want) / 16));
      }
    }
  }
  CHECK(row_error <= row_bound<E>);
  CHECK(std::sqrt(error) <= whole_bound<E> * std::sqrt(norm));
  CHECK(lse_error <= 1e-4);
  Index trampled = 0, missed = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, &first_out[i], 2);
    trampled += !written[i] && bits != 0xffff;
    missed += written[i] && bits == 0xffff;
  }
  CHECK(trampled == 0);
  CHECK(missed == 0);
}

const std::vector<Shape> small = {
    {1, 1, 1, 1},           {128, 128, 1, 2}, {64, 333, 2, 3},   {200, 77, 1, 3}, {129, 257, 2, 1},
    {333, 640, 1, 2},       {5, 1000, 1, 1},  {300, 1000, 1, 2},  // several tiles of queries, split by keys
    {70, 511, 1, 2, 4},      // logits that outgrow those of the first tile
    {30, 700, 1, 2, 2, 20},  // and that outgrow float32's exponents
};
const std::vector<Shape> large = {
    {1024, 700, 2, 16, 2},  // several tiles of queries a block
    {700, 200, 4, 16},
    // a round of tiles, then some whose keys are split, on 132 multiprocessors
    {.queries = 250, .keys = 4000, .batch = 1, .heads = 70, .key_heads = 1},
    {1100, 333, 2, 16},  // several shares of a head's queries
    {200, 111, 5, 30},   // several heads a block
};

const std::vector<Shape> merged = {
    {200, 333, 2, 3, 1, 1, 100},   {70, 511, 1, 2, 4, 1, 257},
    {333, 1500, 1, 2, 2, 20, 700}, {40, 90, 1, 2, 1, 1, 90},  // onto nothing
    {1024, 700, 2, 16, 2, 1, 350},                            // several tiles of queries a block
};

const std::vector<Shape> shared = {
    {.queries = 200, .keys = 333, .batch = 2, .heads = 6, .key_heads = 2},
    {.queries = 300, .keys = 1000, .batch = 1, .heads = 4, .key_heads = 1},
    {.queries = 129, .keys = 257, .batch = 2, .heads = 6, .merged = 100, .key_heads = 3},
};

// Images with no key, with some, and with all but a stretch of them; in several tiles of queries a block.
const std::vector<Shape> hidden = {
    {.queries = 200, .keys = 700, .batch = 3, .heads = 4, .key_heads = 2, .hidden_end = 600},
    {.queries = 70, .keys = 333, .batch = 3, .heads = 2, .hidden_end = 333},
    {.queries = 70, .keys = 333, .batch = 3, .heads = 2, .spread = 4, .merged = 200, .hidden_end = 300},
    {.queries = 1024, .keys = 700, .batch = 5, .heads = 16, .spread = 2, .hidden_end = 700},
    {.queries = 1024, .keys = 900, .batch = 3, .heads = 16, .spread = 2, .hidden_end = 640},
    {.queries = 300, .keys = 300, .batch = 10, .heads = 16, .hidden_end = 300},  // several heads a block
};

template <class E>
void compare_hidden() {
  if (std::is_same_v<E, __nv_bfloat16> && kernels::current_tier() == kernels::Tier::sm70) return;
  for (const Shape& shape : hidden)
    for (bool gaps : {false, true}) compare<E, HEAD_DIM>(shape, std::nullopt, gaps, 7);
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
      for (bool gaps : {false, true}) compare<E, HEAD_DIM>(shape, tiling, gaps, ++seed);
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
  compare<__half, HEAD_DIM>({70, 0, 2, 3}, std::nullopt, true, 1);
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
