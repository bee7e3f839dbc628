// Predictions against times that were measured, as data.
#include "weft/plan/kernels.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "weft/plan/machines.hpp"

using weft::Index;

namespace {

struct Product {
  Index m;
  double us[5];  // of the sizes below
};

constexpr Index sizes[][2] = {{4224, 1408}, {1408, 1408}, {1408, 2816}, {6144, 1408}, {1408, 6144}};  // n, k

/// cuBLAS in a CUDA graph, bf16 with bias, on an H100 80GB HBM3, 2026-11-24.
constexpr Product h100_products[] = {{1024, {19.3, 9.5, 14.7, 27.4, 27.4}},
                                     {2048, {36.1, 15.1, 24.0, 51.8, 46.9}},
                                     {8192, {140, 53.5, 90.7, 201, 190}},
                                     {32768, {573, 195, 364, 835, 895}}};

/// cuBLASLt in a CUDA graph, bf16 without a bias, on an H200, 2026-11-25: `weft plan --kernels`.
constexpr Product h200_products[] = {{256, {7.5, 5.1, 7.3, 8.4, 12.5}},
                                     {512, {10.0, 5.8, 8.1, 13.4, 14.2}},
                                     {1024, {16.7, 7.7, 12.9, 26.6, 24.9}},
                                     {2048, {33.0, 12.7, 21.8, 48.2, 45.0}},
                                     {4096, {63.4, 21.7, 41.1, 92.3, 88.6}},
                                     {8192, {125.7, 46.4, 84.0, 175.9, 195.3}},
                                     {16384, {254.1, 102.9, 184.4, 360.5, 387.0}},
                                     {32768, {500.5, 189.3, 348.3, 740.8, 794.0}}};

struct Attention {
  Index queries, keys;
  double us;
};

/// weft's, 2 × 16 heads of 88, bf16, on the same GPU and day (kernels/weft/NOTES.md).
constexpr Attention attentions[] = {{1024, 1024, 29.1}, {4096, 4096, 316}, {16384, 16384, 4553},
                                    {1024, 333, 18.8},  {4096, 333, 53.2}, {16384, 333, 173},
                                    {512, 4096, 45.0},  {256, 4096, 42.9}};

constexpr const weft::planner::Gpu& h100 = weft::planner::gpus::h100;

static_assert(weft::planner::product_seconds(h100, 0, 1408, 1408, 2) == 0);
static_assert(weft::planner::product_seconds(h100, 1024, 1408, 1408, 2) <
              weft::planner::product_seconds(h100, 8192, 1408, 1408, 2));

}  // namespace

TEST_CASE("Products of every shard's size take what was measured, within 15 %") {
  const auto check = [](const weft::planner::Gpu& gpu, const auto& measured) {
    for (const Product& product : measured)
      for (int i = 0; i < 5; ++i) {
        const double predicted =
            1e6 * weft::planner::product_seconds(gpu, product.m, sizes[i][0], sizes[i][1], 2);
        CAPTURE(product.m);
        CAPTURE(sizes[i][0]);
        CAPTURE(sizes[i][1]);
        CHECK(std::abs(predicted / product.us[i] - 1) < 0.15);
      }
  };
  check(h100, h100_products);
  check(weft::planner::gpus::h200, h200_products);
}

TEST_CASE("Attention takes what was measured, within 15 %") {
  for (const auto& [queries, keys, us] : attentions) {
    const double predicted = 1e6 * weft::planner::attention_seconds(h100, queries, keys, 32, 88);
    CAPTURE(queries);
    CAPTURE(keys);
    CHECK(predicted / us == doctest::Approx(1).epsilon(0.15));
  }
}

TEST_CASE("A wave that is nearly empty takes as long as a full one") {
  const auto seconds = [](Index queries) {
    return weft::planner::attention_seconds(h100, queries, 4096, 32, 88);
  };
  CHECK(seconds(1) == seconds(128));
  CHECK(seconds(512) < 1.3 * seconds(256));
}

TEST_CASE("Heads that the matrix units do not take whole cost their padding") {
  const auto rate = [](Index head_dim) {
    return static_cast<double>(head_dim) / weft::planner::attention_seconds(h100, 16384, 16384, 32, head_dim);
  };
  CHECK(rate(88) < rate(96));
}
