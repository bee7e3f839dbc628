// The Cuda backend rejects models that it cannot run, before any work.
#include <doctest/doctest.h>

#include <stdexcept>

#include "weft/backend/backend.hpp"
#include "weft/backend/cuda.cuh"

using weft::Cuda;
using weft::InvalidArgument;

namespace {

constexpr weft::DitShape with_heads_of(weft::Index head_dim) { return {.head_dim = head_dim}; }

}  // namespace

TEST_CASE("float takes every head dimension up to 128") {
  for (const weft::Index head_dim : {18, 72, 128}) CHECK_NOTHROW(Cuda<float>::check(with_heads_of(head_dim)));
  CHECK_THROWS_WITH_AS(
      Cuda<float>::check(with_heads_of(136)),
      "the model's heads have 136 features; on CUDA devices they have at most 128, and weft::Host takes any",
      InvalidArgument);
}

TEST_CASE("half precision takes the head dimensions that are named, and the error says how to name another") {
  CHECK_NOTHROW(Cuda<__half, 16, 88>::check(with_heads_of(88)));
  CHECK_THROWS_WITH_AS((Cuda<__half, 16, 88>::check(with_heads_of(64))),
                       "the model's heads have 64 features, and half precision is compiled for "
                       "others; name it too: weft::Cuda<__half, 16, 88, 64>",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(Cuda<__half>::check(with_heads_of(64)),
                       "the model's heads have 64 features, and half precision is compiled for none; "
                       "name it too: weft::Cuda<__half, 64>",
                       InvalidArgument);
}

TEST_CASE("half precision pads heads of no multiple of 8 to the next that is named") {
  static_assert(weft::cuda::padded_head_dim<88, 24, 16>(18) == 24);
  static_assert(weft::cuda::padded_head_dim<16>(18) == 0);
  CHECK_NOTHROW(Cuda<__half, 16, 88>::check(with_heads_of(18)));
  CHECK_THROWS_WITH_AS((Cuda<__half, 16>::check(with_heads_of(18))),
                       "the model's heads have 18 features, and half precision is compiled for others; "
                       "name a multiple of 8 too: weft::Cuda<__half, 16, 24>",
                       InvalidArgument);
}

TEST_CASE("bfloat16 is rejected on hardware without it") {
  using Backend = Cuda<__nv_bfloat16, 88>;
  if (weft::kernels::current_tier() != weft::kernels::Tier::sm70) {
    CHECK_NOTHROW(Backend::check(with_heads_of(88)));
  } else {
    CHECK_THROWS_WITH_AS(
        Backend::check(with_heads_of(88)),
        "bfloat16 needs a GPU of compute capability 8.0 or newer, and code compiled for it; use __half here",
        InvalidArgument);
  }
}

TEST_CASE("FP8 is rejected on hardware without it") {
  using Backend = Cuda<__nv_fp8_e4m3, 88>;
  int major = 0, minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (10 * major + minor >= 89) {
    CHECK_NOTHROW(Backend::check(with_heads_of(88)));
  } else {
    CHECK_THROWS_AS(Backend::check(with_heads_of(88)), InvalidArgument);
  }
}

TEST_CASE("FP8 takes widths that are multiples of 16") {
  using Backend = Cuda<__nv_fp8_e4m3, 88>;
  CHECK_THROWS_WITH_AS(Backend::check({.width = 176, .head_dim = 88, .ffn = 200}),
                       "the model has a linear layer of 176 → 200 features; FP8 needs multiples of 16, and "
                       "bfloat16 takes any",
                       InvalidArgument);
}

TEST_CASE("breaking the contract of an operator is a logic error, not an invalid argument") {
  weft::cuda::Queue queue;
  const weft::cuda::Buffer<float> numbers(queue, 136);
  const auto heads = numbers.view(std::array<weft::Index, 4>{1, 1, 1, 136});
  CHECK_THROWS_AS(norm_rotate(queue, heads, nullptr, {}, heads), std::logic_error);
  const auto aligned = numbers.view(std::array<weft::Index, 4>{1, 1, 2, 8});
  const weft::NormWeights crooked{.scale = {numbers.view(std::array<weft::Index, 1>{64}).data + 1, {8}}};
  CHECK_THROWS_AS(norm_rotate(queue, aligned, &crooked, {}, aligned), std::logic_error);

  const weft::cuda::Buffer<__nv_bfloat16> wide(queue, 24);
  const auto rows = wide.view(std::array<weft::Index, 2>{2, 12});
  CHECK_THROWS_AS(narrow(queue, rows, weft::as_operands<__nv_fp8_e4m3>(rows)), std::logic_error);
}

TEST_CASE("a call of attention is traced under its name and extents") {
  const weft::View<const float, 4> q(nullptr, {4096, 2, 16, 88}), k(nullptr, {333, 2, 16, 88});
  const weft::cuda::Work work = weft::cuda::detail::attention_work("attention", q, k);
  CHECK(name_of(work) == "attention 4096x333x32x88");
}
