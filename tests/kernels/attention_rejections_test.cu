#include "weft/attention.cuh"

#include <doctest/doctest.h>

#include "device_array.cuh"

using namespace weft;
using kernels::test::DeviceArray;

namespace {

constexpr int head_dim = 32;

template <class E>
struct Operand {
  DeviceArray<E> data;
  View<E, 4> view;

  explicit Operand(Index tokens) : data(tokens * 2 * head_dim), view(data.get(), {tokens, 1, 2, head_dim}) {}
};

}  // namespace

TEST_CASE("attention rejects operands of mismatched shapes, misaligned, or without what it merges") {
  const Operand<__half> q(40), k(50), v(49);
  CHECK_THROWS_WITH_AS(kernels::attention<head_dim>(nullptr, q.view, k.view, v.view, q.view),
                       "attention was given v of (49, 1, 2, 32); it needs (50, 1, 2, 32)", std::logic_error);
  View<__half, 4> crooked = q.view.slice<0>({0, 20});
  crooked.stride[0] = 67;
  CHECK_THROWS_WITH_AS(
      kernels::attention<head_dim>(nullptr, crooked, k.view, k.view, q.view.slice<0>({0, 20})),
      "attention was given q out of line; rows of heads begin at multiples of 16 bytes", std::logic_error);
  CHECK_THROWS_WITH_AS(
      kernels::attention<head_dim>(nullptr, q.view, k.view, k.view, q.view, {}, Output::merge),
      "attention merges by log-sum-exps, and was given none of the output that is there", std::logic_error);
}

TEST_CASE("attention rejects bfloat16 on hardware without it") {
  if (kernels::current_tier() != kernels::Tier::sm70) return;
  const Operand<__nv_bfloat16> x(40);
  CHECK_THROWS_WITH_AS(kernels::attention<head_dim>(nullptr, x.view, x.view, x.view, x.view),
                       "bfloat16 needs code for a GPU of compute capability 8.0 or newer; use __half here",
                       InvalidArgument);
}
