// Attention on random tensors of many shapes, against a kernel in float32, which the conformance tests
// compare with float64.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "device_array.cuh"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/plain_attention.cuh"

namespace weft::kernels::test {

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

/// The largest relative L2 error of a row, and of all rows together.
template <class E>
constexpr double row_bound = std::is_same_v<E, __half> ? 3e-3 : 1.5e-2;
template <class E>
constexpr double whole_bound = std::is_same_v<E, __half> ? 1e-3 : 6e-3;

/// Compares attend(q, k, v, out, lse, output, mask) on random numbers with attention in float32, and two runs
/// of it with each other.
template <class E, int D, class Attend>
void compare(const Attend& attend, const Shape& shape, bool gaps, unsigned seed) {
  CAPTURE(D);
  CAPTURE(shape.queries);
  CAPTURE(shape.keys);
  CAPTURE(gaps);
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
    attend(q.view, k.view.template slice<0>(first), v.view.template slice<0>(first), out.view, lse,
           Output::replace, mask.keys(first));
    if (shape.merged > 0)
      attend(q.view, k.view.template slice<0>(later), v.view.template slice<0>(later), out.view, lse,
             Output::merge, mask.keys(later));
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
  plain_attention<float>(nullptr, View<const float, 4>(wide_q.view), View<const float, 4>(wide_k.view),
                         View<const float, 4>(wide_v.view), right.view, right_lse, Output::replace, mask);
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

inline const std::vector<Shape> small = {
    {1, 1, 1, 1},           {128, 128, 1, 2}, {64, 333, 2, 3},   {200, 77, 1, 3}, {129, 257, 2, 1},
    {333, 640, 1, 2},       {5, 1000, 1, 1},  {300, 1000, 1, 2},  // several tiles of queries, split by keys
    {70, 511, 1, 2, 4},      // logits that outgrow those of the first tile
    {30, 700, 1, 2, 2, 20},  // and that outgrow float32's exponents
};
inline const std::vector<Shape> merged = {
    {200, 333, 2, 3, 1, 1, 100},   {70, 511, 1, 2, 4, 1, 257},
    {333, 1500, 1, 2, 2, 20, 700}, {40, 90, 1, 2, 1, 1, 90},  // onto nothing
    {1024, 700, 2, 16, 2, 1, 350},                            // several tiles of queries a block
};

inline const std::vector<Shape> shared = {
    {.queries = 200, .keys = 333, .batch = 2, .heads = 6, .key_heads = 2},
    {.queries = 300, .keys = 1000, .batch = 1, .heads = 4, .key_heads = 1},
    {.queries = 129, .keys = 257, .batch = 2, .heads = 6, .merged = 100, .key_heads = 3},
};

// Images with no key, with some, and with all but a stretch of them; in several tiles of queries a block.
inline const std::vector<Shape> hidden = {
    {.queries = 200, .keys = 700, .batch = 3, .heads = 4, .key_heads = 2, .hidden_end = 600},
    {.queries = 70, .keys = 333, .batch = 3, .heads = 2, .hidden_end = 333},
    {.queries = 70, .keys = 333, .batch = 3, .heads = 2, .spread = 4, .merged = 200, .hidden_end = 300},
    {.queries = 1024, .keys = 700, .batch = 5, .heads = 16, .spread = 2, .hidden_end = 700},
    {.queries = 1024, .keys = 900, .batch = 3, .heads = 16, .spread = 2, .hidden_end = 640},
    {.queries = 300, .keys = 300, .batch = 10, .heads = 16, .hidden_end = 300},  // several heads a block
};

}  // namespace weft::kernels::test
