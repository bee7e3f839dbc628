#include "weft/core/noise.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <set>
#include <vector>

using weft::normal;

namespace {

/// Computes a normal number by the Box-Muller transform of Philox's first two words.
double box_muller(std::uint32_t first, std::uint32_t second) {
  const double radius = std::sqrt(-2 * std::log((first + 0.5) / 4294967296.0));
  return radius * std::cos(2 * std::numbers::pi * second / 4294967296.0);
}

}  // namespace

TEST_CASE("normal: Philox's published output for counter and key 0") {
  CHECK(normal(0, 0, 0) == doctest::Approx(box_muller(0x6627e8d5, 0xe169c58d)).epsilon(1e-6));
}

TEST_CASE("normal: the counter is (element, step, 0), the key is the seed") {
  const r123::Philox4x32::ctr_type counter{{0x89abcdef, 0x01234567, 42, 0}};
  const r123::Philox4x32::key_type key{{0x55667788, 0x11223344}};
  const auto bits = r123::Philox4x32{}(counter, key);
  CHECK(normal(0x1122334455667788, 42, 0x0123456789abcdef) ==
        doctest::Approx(box_muller(bits[0], bits[1])).epsilon(1e-6));
}

TEST_CASE("normal: moments of a standard normal distribution") {
  constexpr int count = 200'000;
  double sums[4] = {};
  for (int i = 0; i < count; ++i) {
    const double x = normal(3, 1, static_cast<std::uint64_t>(i));
    double power = 1;
    for (double& sum : sums) sum += power *= x;
  }
  CHECK(std::abs(sums[0] / count) < 0.01);
  CHECK(std::abs(sums[1] / count - 1) < 0.02);
  CHECK(std::abs(sums[2] / count) < 0.04);
  CHECK(std::abs(sums[3] / count - 3) < 0.1);
}

TEST_CASE("normal: depends on seed, step and element, on their high words too") {
  std::set<float> seen;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (const std::uint32_t step : {0u, 1u, 1u << 31})
      for (const std::uint64_t element : {0ull, 1ull, 1ull << 32}) seen.insert(normal(seed, step, element));
  CHECK(seen.size() == 27);
}

TEST_CASE("normal: does not depend on the order of calls") {
  std::vector<float> forwards, backwards;
  for (std::uint64_t i = 0; i < 100; ++i) forwards.push_back(normal(1, 2, i));
  for (std::uint64_t i = 100; i-- > 0;) backwards.push_back(normal(1, 2, i));
  std::reverse(backwards.begin(), backwards.end());
  CHECK(forwards == backwards);
}
