#include "weft/core/dtype.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

using weft::bf16_to_float;
using weft::Dtype;
using weft::f16_to_float;

static_assert(size_of(Dtype::f32) == 4 && size_of(Dtype::f16) == 2 && size_of(Dtype::bf16) == 2);
static_assert(size_of(Dtype::i64) == 8);
static_assert(f16_to_float(0x3c00) == 1.0f && f16_to_float(0xc000) == -2.0f);
static_assert(bf16_to_float(0x3f80) == 1.0f && bf16_to_float(0xc000) == -2.0f);

TEST_CASE("f16: every finite number, subnormals and both zeros too") {
  bool all = true;
  for (int bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0x1f) continue;
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    const float value = f16_to_float(static_cast<std::uint16_t>(bits));
    all = all && std::abs(value) == magnitude && std::signbit(value) == (bits >= 0x8000);
  }
  CHECK(all);
  CHECK(f16_to_float(1) == 0x1p-24f);
  CHECK(f16_to_float(0x7bff) == 65504.0f);
}

TEST_CASE("f16 and bf16: infinities and NaN") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(f16_to_float(0x7c00) == infinity);
  CHECK(f16_to_float(0xfc00) == -infinity);
  CHECK(std::isnan(f16_to_float(0x7e00)));
  CHECK(std::isnan(f16_to_float(0xfc01)));
  CHECK(bf16_to_float(0x7f80) == infinity);
  CHECK(bf16_to_float(0xff80) == -infinity);
  CHECK(std::isnan(bf16_to_float(0x7fc0)));
}

TEST_CASE("bf16: the upper half of a float") {
  CHECK(bf16_to_float(0x4049) == 3.140625f);
  CHECK(bf16_to_float(0x0001) == std::ldexp(1.0f, -133));
  CHECK(std::signbit(bf16_to_float(0x8000)));
}

TEST_CASE("to_float: converts every type, from any address") {
  const auto converted = [](Dtype type, auto first, auto second) {
    std::vector<std::byte> bytes(1 + 2 * sizeof first);
    std::memcpy(bytes.data() + 1, &first, sizeof first);
    std::memcpy(bytes.data() + 1 + sizeof first, &second, sizeof second);
    std::vector<float> out(2);
    weft::to_float(type, bytes.data() + 1, 2, out.data());
    return out;
  };
  CHECK(converted(Dtype::f32, 1.5f, -2.5f) == std::vector<float>{1.5f, -2.5f});
  CHECK(converted(Dtype::f16, std::uint16_t{0x3e00}, std::uint16_t{0xc100}) ==
        std::vector<float>{1.5f, -2.5f});
  CHECK(converted(Dtype::bf16, std::uint16_t{0x3fc0}, std::uint16_t{0xc020}) ==
        std::vector<float>{1.5f, -2.5f});
  CHECK(converted(Dtype::i64, std::int64_t{-7}, std::int64_t{1} << 40) == std::vector<float>{-7, 0x1p40f});
}
