#include "weft/core/quantile.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

using weft::QuantileSearch;

namespace {

constexpr std::size_t bins = QuantileSearch::statistics * QuantileSearch::digits;

/// Finds the quantile as ranks do that hold a part of the numbers each and sum their counts.
float searched(const std::vector<std::vector<float>>& parts, float quantile) {
  weft::Index count = 0;
  for (const auto& part : parts) count += static_cast<weft::Index>(part.size());
  QuantileSearch search = QuantileSearch::start(quantile, count);
  for (int round = 0; round < QuantileSearch::rounds; ++round) {
    std::vector<double> counts(bins);
    for (const auto& part : parts)
      for (const float number : part)
        for (int s = 0; s < QuantileSearch::statistics; ++s) {
          const int bin = search.place_of(QuantileSearch::bits_of(number), round, s);
          if (bin >= 0) ++counts[static_cast<std::size_t>(bin)];
        }
    search.narrow(counts.data());
  }
  return search.value();
}

/// Returns torch.quantile of the numbers: linear between the two neighbours.
float sorted(std::vector<float> numbers, float quantile) {
  std::ranges::sort(numbers);
  const float place = quantile * static_cast<float>(numbers.size() - 1);
  const float below = numbers[static_cast<std::size_t>(place)],
              above = numbers[static_cast<std::size_t>(std::ceil(place))];
  const float weight = place - std::floor(place);
  return weight < 0.5f ? below + weight * (above - below) : above - (above - below) * (1 - weight);
}

std::vector<float> drawn(std::size_t count, float scale, int grain) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::normal_distribution<float> normal;
  std::vector<float> out;
  for (std::size_t i = 0; i < count; ++i) {
    const float number = std::abs(normal(random)) * scale;
    out.push_back(grain > 0 ? std::floor(number * static_cast<float>(grain)) / static_cast<float>(grain)
                            : number);
  }
  return out;
}

}  // namespace

TEST_CASE("QuantileSearch: is the quantile of the sorted numbers, to the bit") {
  for (const std::size_t count : {1, 2, 3, 24, 1000, 70'000})
    for (const float scale : {1e-30f, 1.0f, 1e30f})
      for (const int grain : {0, 2}) {  // 2: with many equal ones
        const std::vector<float> numbers = drawn(count, scale, grain);
        for (const float quantile : {0.0f, 0.3f, 0.5f, 0.995f, 1.0f}) {
          CAPTURE(count);
          CAPTURE(quantile);
          CHECK(searched({numbers}, quantile) == sorted(numbers, quantile));
        }
      }
}

TEST_CASE("QuantileSearch: does not depend on how numbers are distributed") {
  const std::vector<float> numbers = drawn(999, 3, 0);
  for (const std::size_t cut : {1, 100, 500, 999})
    CHECK(searched({{numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(cut)},
                    {},
                    {numbers.begin() + static_cast<std::ptrdiff_t>(cut), numbers.end()}},
                   0.995f) == searched({numbers}, 0.995f));
}

TEST_CASE("QuantileSearch: infinities and NaN are the largest") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(searched({{1, infinity, 2, 3, 0}}, 0.5f) == 2);
  CHECK(std::isnan(searched({{1, std::numeric_limits<float>::quiet_NaN(), infinity}}, 1)));
}
