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
  Index queries, keys, heads, head_dim;
  double us;
};

/// weft's, bf16, on H200s, 2026-11-28 (kernels/weft/NOTES.md). In a step, which the model predicts, it takes
/// longer.
constexpr Attention attentions[] = {
    {1024, 1024, 32, 88, 28.0},   {4096, 4096, 32, 88, 314},    {16384, 16384, 32, 88, 4685},
    {16384, 16384, 16, 88, 2320}, {4096, 4096, 16, 88, 167},    {2048, 4096, 32, 88, 166},
    {4429, 4429, 76, 64, 733},    {4429, 4429, 38, 64, 369},    {1178, 1178, 76, 64, 79.8},
    {4096, 4096, 32, 72, 296},    {4096, 4096, 16, 72, 153},    {4608, 4608, 24, 128, 371},
    {4608, 4608, 12, 128, 195},   {2304, 2304, 24, 128, 105},   {4224, 4224, 24, 128, 322},
    {512, 4608, 24, 128, 54.1},   {16896, 16896, 12, 128, 2163}};

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

TEST_CASE("Attention takes what was measured, or up to 17 % more") {
  for (const auto& [queries, keys, heads, head_dim, us] : attentions) {
    const double predicted =
        1e6 * weft::planner::attention_seconds(weft::planner::gpus::h200, queries, keys, heads, head_dim);
    CAPTURE(queries);
    CAPTURE(keys);
    CAPTURE(heads);
    CAPTURE(head_dim);
    CHECK(predicted > 0.97 * us);
    CHECK(predicted < 1.17 * us);
  }
}

TEST_CASE("A wave that is nearly empty takes as long as a full one") {
  const auto seconds = [](Index queries) {
    return weft::planner::attention_seconds(h100, queries, 4096, 32, 88);
  };
  CHECK(seconds(1) == seconds(128));
  CHECK(seconds(385) == seconds(512));
}

TEST_CASE("A last round whose keys are split takes less than a whole one, but more than half") {
  const auto seconds = [](Index heads) {
    return weft::planner::attention_seconds(h100, 128, 16384, heads, 128);
  };
  const double whole = seconds(h100.multiprocessors);
  CHECK(seconds(h100.multiprocessors / 2) < 0.7 * whole);
  CHECK(seconds(h100.multiprocessors / 2) > 0.5 * whole);
  CHECK(seconds(h100.multiprocessors / 2 + 1) == doctest::Approx(whole));
  CHECK(seconds(h100.multiprocessors * 3 / 2) < 1.7 * whole);
}

TEST_CASE("Heads leave early where their layer has two rounds of tiles") {
  const auto share = [](Index m, Index n, Index head_dim) {
    return weft::planner::stored_early(weft::planner::gpus::h200, m, n, head_dim);
  };
  // The layers of kernels/weft/NOTES.md; of the first a layer and moves apart are faster.
  CHECK(share(1024, 4224, 88) == 0);
  CHECK(share(2048, 4224, 88) > 0);
  CHECK(share(4096, 4224, 88) > share(2048, 4224, 88));
  CHECK(share(1152, 9216, 128) > 0);
  CHECK(share(2048, 7296, 64) > 0);
  CHECK(share(2048, 3456, 72) > 0);
  CHECK(share(1024, 7296, 64) == 0);
  CHECK(share(Index{1} << 20, 4224, 88) ==
        doctest::Approx(weft::planner::gpus::h200.stored_early).epsilon(0.01));
}

TEST_CASE("At the power limit products take what they multiply, whatever their depth") {
  const auto rate = [](Index k) {
    return 8192.0 * 8448 * static_cast<double>(k) /
           weft::planner::product_seconds_in_step(weft::planner::gpus::h200, 8192, 8448, k, 2);
  };
  CHECK(rate(1408) == doctest::Approx(rate(12288)).epsilon(0.01));
  CHECK(weft::planner::product_seconds_in_step(h100, 8192, 4224, 1408, 2) ==
        weft::planner::product_seconds(h100, 8192, 4224, 1408, 2));
}

TEST_CASE("Heads that the matrix units do not take whole cost their padding") {
  const auto rate = [](Index head_dim) {
    return static_cast<double>(head_dim) / weft::planner::attention_seconds(h100, 16384, 16384, 32, head_dim);
  };
  CHECK(rate(88) < rate(96));
}
