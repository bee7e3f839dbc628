// Attention with keys in int8, for heads of every dimension that the command compiles: against a kernel in
// float32, which the conformance tests compare with float64.
#include "weft/int8_attention.cuh"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "device_array.cuh"
#include "weft/plain_attention.cuh"

using namespace weft;
using kernels::test::DeviceArray;

namespace {

using E = __nv_bfloat16;

struct Shape {
  Index queries, keys, batch, heads, key_heads;
  Index merged = 0;  // keys that come in a second call, which merges
};

const std::vector<Shape> shapes = {
    {64, 128, 1, 1, 1},      {200, 333, 2, 4, 2},       {129, 1000, 2, 3, 3},
    {1, 32, 1, 2, 1},        {333, 1500, 1, 4, 4, 700},  // of two calls
    {1100, 1024, 2, 16, 16}, {2500, 1100, 2, 30, 15},    // several tiles of queries a block
};

/// A (tokens, B, H, D) operand, also in float32.
struct Operand {
  DeviceArray<E> narrow;
  DeviceArray<float> wide;
  View<E, 4> view;
  View<float, 4> wide_view;

  Operand(Index tokens, const Shape& shape, Index heads, Index head_dim)
      : narrow(tokens * shape.batch * heads * head_dim),
        wide(narrow.size()),
        view(narrow.get(), {tokens, shape.batch, heads, head_dim}),
        wide_view(wide.get(), view.extent) {}

  /// Sets number i to value(i).
  template <class Value>
  void fill(const Value& value) {
    std::vector<E> host(narrow.size());
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = E(value(static_cast<Index>(i)));
    narrow.upload(host);
    wide.upload(std::vector<float>(host.begin(), host.end()));
  }
};

struct Errors {
  double whole = 0, log_sum = 0;  // relative L2 of the output, the largest of the log-sum-exps
};

/// Returns the errors of attention in int8; checks that it gives the same bits twice.
template <int D>
Errors errors_of(const Shape& shape, const Operand& q, const Operand& k, const Operand& v) {
  Operand out(shape.queries, shape, shape.heads, D);
  const Index rows = shape.queries * shape.batch * shape.heads;
  DeviceArray<float> log_sums(rows), right_log_sums(rows);
  const std::array<Index, 3> extent{shape.queries, shape.batch, shape.heads};
  const View<float, 3> lse(log_sums.get(), extent), right_lse(right_log_sums.get(), extent);
  DeviceArray<std::byte> room(static_cast<Index>(kernels::Int8Keys::room_for(View<const E, 4>(k.view))));

  const auto attend = [&](Range keys, Output output) {
    kernels::int8_attention<D, E>(nullptr, q.view, k.view.slice<0>(keys), v.view.slice<0>(keys),
                                  Stretches<E, 4>(out.view), lse, output, room.get());
  };
  std::vector<E> results[2];
  for (std::vector<E>& result : results) {
    out.narrow.fill(0xff);
    const Index first = shape.keys - shape.merged;
    attend({0, first}, Output::replace);
    if (shape.merged > 0) attend({first, shape.keys}, Output::merge);
    result = out.narrow.download();
  }
  CHECK(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(E)) == 0);

  kernels::plain_attention<float>(nullptr, View<const float, 4>(q.wide_view),
                                  View<const float, 4>(k.wide_view), View<const float, 4>(v.wide_view),
                                  out.wide_view, right_lse, Output::replace);
  const std::vector<float> right = out.wide.download(), lses = log_sums.download(),
                           right_lses = right_log_sums.download();
  Errors errors;
  double norm = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    errors.whole += std::pow(double(float(results[0][i])) - right[i], 2);
    norm += std::pow(double(right[i]), 2);
  }
  errors.whole = std::sqrt(errors.whole / norm);
  for (std::size_t i = 0; i < lses.size(); ++i)
    errors.log_sum = std::max(errors.log_sum, double(std::abs(lses[i] - right_lses[i])));
  return errors;
}

template <int D>
void compare(bool is_exact) {
  for (const Shape& shape : shapes) {
    CAPTURE(D);
    CAPTURE(shape.queries);
    CAPTURE(shape.keys);
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    Operand q(shape.queries, shape, shape.heads, D), k(shape.keys, shape, shape.key_heads, D),
        v(shape.keys, shape, shape.key_heads, D);
    const auto any = [&](Index) { return normal(random); };
    // Whole numbers of which every query and every key has a 127 are quantized without an error.
    const auto whole = [&random](Index i) {
      return (i % D == 0 ? 127 : std::uniform_int_distribution<int>(-127, 127)(random)) / 128.f;
    };
    if (is_exact) {
      q.fill(whole);
      k.fill(whole);
    } else {
      q.fill(any);
      k.fill(any);
    }
    v.fill(any);
    const Errors errors = errors_of<D>(shape, q, k, v);
    CHECK(errors.whole < (is_exact ? 6e-3 : 2e-2));
    CHECK(errors.log_sum < (is_exact ? 1e-3 : 5e-2));
  }
}

void compare_all(bool is_exact) {
  if (kernels::current_tier() != kernels::Tier::sm90a) return;
  compare<48>(is_exact);
  compare<64>(is_exact);
  compare<72>(is_exact);
  compare<88>(is_exact);
  compare<128>(is_exact);
}

}  // namespace

TEST_CASE("attention in int8 is that in float32 where queries and keys are whole numbers") {
  compare_all(true);
}
TEST_CASE("attention in int8 is within two percent of that in float32") { compare_all(false); }

TEST_CASE("attention in int8 without keys is a logic error") {
  const Shape shape{4, 4, 1, 1, 1};
  Operand q(4, shape, 1, 64), k(0, shape, 1, 64);
  CHECK_THROWS_WITH_AS(
      (kernels::int8_attention<64, E>(nullptr, q.view, k.view, k.view, Stretches<E, 4>(q.view), {},
                                      Output::replace, nullptr)),
      "attention in int8 was given no keys, too many stretches, or another GPU than an sm_90a",
      std::logic_error);
}
